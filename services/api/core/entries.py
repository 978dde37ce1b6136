"""What a function's log says of one call, from the record or from the event of its end. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

import msgspec

from shared.bus.messages import Finished
from shared.domain.invocation import Invocation, TriggerType, end_of
from shared.domain.metrics import duration_us
from shared.domain.outcome import LogLine, Outcome

_OUR_FAULT = 500


class Console(msgspec.Struct, frozen=True):
    """A line that the function wrote: `at` is Unix seconds, `level` one of log, info, warn, error and debug.

    `n` is its number among all that the call wrote, 0 where it has none.
    """

    at: float
    level: str
    message: str
    n: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call that has ended, at `ended_at`. `status` is the HTTP status that was answered, or would have been.

    `memory_bytes` is 0 where nobody could tell; `error` and `stack` are empty where there are none.
    `warnings` say what of its lines is not kept.
    """

    id: int
    task_id: str
    trigger: TriggerType
    ended_at: datetime
    method: str
    path: str
    status: int
    duration_ms: float
    memory_bytes: int
    error: str
    stack: str
    console: list[Console]
    warnings: list[str]


def of_record(record: Invocation) -> Entry:
    """From the record of a call that has ended."""
    outcome = Outcome(
        status=end_of(record.status),
        stdout=record.stdout,
        stderr=record.stderr,
        printed=record.printed,
        logs=msgspec.json.decode(record.logs, type=list[LogLine]),
        error_type=record.error_type,
        error=record.error,
        traceback=record.traceback,
        warnings=record.warnings,
    )
    ended_at = record.done_at or record.created_at
    began = (record.started_at or ended_at).timestamp()
    return Entry(
        id=record.id,
        task_id=record.task_id,
        trigger=record.trigger_type,
        ended_at=ended_at,
        memory_bytes=record.peak_bytes,
        **_asked(record.method, record.path),
        duration_ms=record.duration_us / 1000,
        **_told(outcome, record.status_code or outcome.status_code, began=began, ended=ended_at.timestamp()),
    )


def of_event(event: Finished) -> Entry:
    """From the event of its end."""
    outcome, timeline = event.outcome, event.timeline
    return Entry(
        id=event.id,
        task_id=event.task_id,
        trigger=event.trigger_type,
        ended_at=kept(timeline.done),
        memory_bytes=outcome.usage.peak_bytes,
        **_asked(event.method, event.path),
        duration_ms=(duration_us(timeline) or 0) / 1000,
        **_told(outcome, outcome.status_code, began=timeline.started or timeline.done, ended=timeline.done),
    )


def _asked(method: str, path: str) -> dict[str, Any]:
    """What came by no request is one to its handler all the same."""
    return {"method": method or "POST", "path": path or "/"}


def _told(outcome: Outcome, status: int, *, began: float, ended: float) -> dict[str, Any]:
    error = outcome.error or outcome.error_type
    if not error and status >= _OUR_FAULT:
        error = f"HTTP {status}"
    return {
        "status": status,
        "error": error,
        "stack": outcome.traceback,
        "warnings": outcome.warnings,
        "console": [
            *(Console(began, "log", line, n) for line, n in _printed(outcome)),
            *(
                Console(line.at, "warn" if line.level == "warning" else line.level, line.message, line.n)
                for line in outcome.logs
            ),
            *(Console(ended, "error", line) for line in outcome.stderr.splitlines()),
        ],
    }


def _printed(outcome: Outcome) -> Iterator[tuple[str, int]]:
    """Lines that were printed, with their numbers."""
    numbers = chain.from_iterable(range(first, first + count) for first, count in outcome.printed)
    printed = outcome.stdout.removesuffix("\n").split("\n") if outcome.printed else outcome.stdout.splitlines()
    return zip(printed, chain(numbers, repeat(0)), strict=False)


def kept(moment: float) -> datetime:
    """A moment as the record keeps it: to the millisecond."""
    at = datetime.fromtimestamp(moment, UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
