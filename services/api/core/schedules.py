"""Schedules: what a function may ask for, what comes next, and what became of the last ticks."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.function import Function
from shared.domain.tick import Tick
from shared.schedule import check_schedule, timetable
from shared.store.client import Store
from shared.store.ticks import Ticks

_NEXT, _LAST = 5, 20
_SETTINGS = frozenset(("is_active", "schedule_enabled", "cron_expression", "schedule_timezone"))


class Shown(msgspec.Struct, frozen=True):
    """A function's schedule: when it comes due next, Unix seconds, and its last ticks, the newest first."""

    function: Function
    upcoming: list[int]
    ticks: list[Tick]


class Schedules:
    """What can be seen of schedules."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def shown(self, function: Function) -> Shown:
        """The schedule of a function. Raises Problem(unavailable)."""
        upcoming: list[int] = []
        if function.is_scheduled:
            table = timetable(function.cron_expression, function.schedule_timezone)
            upcoming = table.upcoming(int(time.time()), count=_NEXT)
        ticks = await Ticks(self._store, function.tenant).last(function.id, limit=_LAST)
        return Shown(function, upcoming, ticks)


def touches_schedule(values: Mapping[str, Any]) -> bool:
    """Whether a change of these settings is one of the schedule."""
    return not _SETTINGS.isdisjoint(values)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse a schedule that cannot be kept. Raises Problem(invalid)."""
    check_schedule(
        enabled=settings.get("schedule_enabled", False),
        expression=settings.get("cron_expression", ""),
        zone=settings.get("schedule_timezone", "UTC"),
        now=datetime.now(UTC),
    )
