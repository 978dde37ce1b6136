"""Schedules as bodies, field by field."""

import msgspec

from shared.domain.function import MissedRuns, Overlap
from shared.domain.tick import State


class TickRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a tick; `count` ticks until `until` where they were missed together."""

    due: str
    state: State
    late_by_s: float
    reason: str | None
    task_id: str | None
    count: int
    until: str | None


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A function's schedule."""

    enabled: bool
    cron_expression: str
    timezone: str
    missed_runs: MissedRuns
    overlap: Overlap
    next_runs: list[str]
    last_ticks: list[TickRow]
