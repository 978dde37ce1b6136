"""Logs as bodies, field by field. What has two spellings is sent in both: clients read the one or the other."""

import msgspec


class Console(msgspec.Struct, frozen=True):
    """A line that the function wrote: `level` is log, info, warn, error or debug, `timestamp` ms since 1970.

    `n` is its number among all that the call wrote, where it has one.
    """

    level: str
    message: str
    timestamp: int
    n: int | msgspec.UnsetType = msgspec.UNSET


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call that has ended, at `timestamp`. What came by no request is shown as the one its handler was asked.

    Durations are milliseconds, `memory_mb` is MiB at its peak, null where nobody could tell.
    `warnings` say what of its lines is not kept.
    """

    id: int
    task_id: str
    trigger: str
    timestamp: str
    method: str
    path: str
    status_code: int
    status_code_too: int = msgspec.field(name="statusCode")
    duration_ms: float
    duration: float
    memory_mb: float | None
    memory_used: float | None = msgspec.field(name="memoryUsed")
    error: str | None
    stack: str | None
    console_logs: list[Console] = msgspec.field(name="consoleLogs")
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a log, the newest first."""

    logs: list[Entry]
    has_more: bool = msgspec.field(name="hasMore")


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a call that runs: the `n`th of it, `at` ms since 1970. `cut` where the message is longer."""

    n: int
    task_id: str
    level: str
    at: int
    message: str
    cut: bool = False
    attempt: int = 1


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something is missing here, or may be: the lines of a call from one number to another, both included."""

    task_id: str | None
    first: int | None = msgspec.field(name="from")
    last: int | None = msgspec.field(name="to")
    why: str
    message: str
