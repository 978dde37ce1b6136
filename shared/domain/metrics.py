"""What a function's calls have come to: counts, and how long they took. Pure.

Durations are counted in buckets about a tenth wide, from 0.01 ms to a day: a quantile is right within a twentieth.
"""

import math
from datetime import datetime

import msgspec

from shared.domain.invocation import Timeline

_LEAST_MS = 0.01
_STEP = math.log(1.1)
_HIGHEST = int(math.log(86_400_000 / _LEAST_MS) / _STEP)

HOUR_S = 3600
HOURS = 24
"""How many hours are counted one by one, the present one among them."""


class Hour(msgspec.Struct, frozen=True):
    """The calls that ended within an hour, and how many of them failed."""

    total: int = 0
    errors: int = 0


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """All calls of a function since it was made, but for those that were cancelled.

    `duration_us` is the sum of what was run, microseconds. `hours` counts by the hour since 1970 in which they ended,
    `latency` by the bucket of their duration; a call that never began has none. `last_status` is the HTTP status of the
    last one that ended, `last_at` when that was asked.
    """

    total: int = 0
    errors: int = 0
    duration_us: int = 0
    last_at: datetime | None = None
    last_status: int = 0
    hours: dict[int, Hour] = {}
    latency: dict[int, int] = {}

    @property
    def error_rate(self) -> float:
        """Failed calls in a hundred."""
        return 100 * self.errors / self.total if self.total else 0.0

    @property
    def avg_duration_ms(self) -> float:
        """The mean duration of what was run."""
        timed = sum(self.latency.values())
        return self.duration_us / timed / 1000 if timed else 0.0

    def quantile_ms(self, part: float) -> float:
        """What this part of the calls, between 0 and 1, took at most; 0 where none was run."""
        timed = sum(self.latency.values())
        left = max(1, math.ceil(part * timed))
        for number in sorted(self.latency):
            left -= self.latency[number]
            if left <= 0:
                return _LEAST_MS * math.exp((number + 0.5) * _STEP)
        return 0.0

    def latest(self, *, now: float) -> Hour:
        """The calls of the last 24 hours, the present one begun. `now` is Unix seconds."""
        present = hour_of(now)
        counted = [hour for number, hour in self.hours.items() if present - HOURS < number <= present]
        return Hour(sum(hour.total for hour in counted), sum(hour.errors for hour in counted))


def hour_of(moment: float) -> int:
    """The number of the hour since 1970. `moment` is Unix seconds."""
    return int(moment // HOUR_S)


def bucket_of(duration_us: int) -> int:
    """The bucket of a duration, 0 for the shortest."""
    steps = math.log(max(duration_us / 1000 / _LEAST_MS, 1.0)) / _STEP
    return min(int(steps), _HIGHEST)


def duration_us(timeline: Timeline) -> int | None:
    """How long the last attempt ran, microseconds; None where it never began."""
    if not timeline.started:
        return None
    return max(0, round((timeline.done - timeline.started) * 1_000_000))
