"""Schedules, between the core's values and this dialect's bodies. Pure."""

from datetime import UTC, datetime

from services.api.core.schedules import Shown
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import schedules as wire
from shared.domain.tick import Tick


def schedule(shown: Shown) -> wire.Schedule:
    """A function's schedule, with what comes next and what became of the last ticks."""
    function = shown.function
    return wire.Schedule(
        enabled=function.is_scheduled,
        cron_expression=function.cron_expression,
        timezone=function.schedule_timezone,
        missed_runs=function.schedule_missed_runs,
        overlap=function.schedule_overlap,
        next_runs=[_stamp(due) for due in shown.upcoming],
        last_ticks=[_tick(tick) for tick in shown.ticks],
    )


def _tick(tick: Tick) -> wire.TickRow:
    return wire.TickRow(
        due=_stamp(tick.due),
        state=tick.state,
        late_by_s=tick.late_s,
        reason=tick.reason or None,
        task_id=None if tick.state == "skipped" else tick.task_id,
        count=tick.count,
        until=_stamp(tick.until) if tick.until else None,
    )


def _stamp(moment: int) -> str:
    return stamp(datetime.fromtimestamp(moment, UTC))
