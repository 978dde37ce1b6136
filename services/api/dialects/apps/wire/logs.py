"""Logs as bodies, field by field. What has two spellings is sent in both: clients read the one or the other."""

import msgspec


class Console(msgspec.Struct, frozen=True):
    """A line that the function wrote: `level` is log, info, warn, error or debug, `timestamp` ms since 1970."""

    level: str
    message: str
    timestamp: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call that has ended, at `timestamp`. What came by no request is shown as the one its handler was asked.

    Durations are milliseconds, `memory_mb` is MiB at its peak, null where nobody could tell.
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


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a log, the newest first."""

    logs: list[Entry]
    has_more: bool = msgspec.field(name="hasMore")


class Gap(msgspec.Struct, frozen=True):
    """Something may be missing here."""

    message: str
