"""Between logs and their bodies, and what is asked of them. Pure."""

import re
from datetime import UTC, datetime

import msgspec

from services.api.core import entries as core
from services.api.core.logs import Since, Told
from services.api.dialects.apps.translate.stamps import stamp
from services.api.dialects.apps.wire import logs as wire
from shared.domain.problem import Problem, wrong

MOST, BY_DEFAULT = 1000, 100
_DIGITS = re.compile(r"[0-9]{1,19}")
_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")  # a + that was not escaped in a query is a space
_MIB = 1 << 20
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

KEEP_ALIVE = b": keep-alive\n\n"
BEGIN = b": following\n\n"


def entry(one: core.Entry) -> wire.Entry:
    """An entry as it is sent."""
    memory_mb = round(one.memory_bytes / _MIB, 1) if one.memory_bytes else None
    return wire.Entry(
        id=one.id,
        task_id=one.task_id,
        trigger="cron" if one.trigger == "schedule" else one.trigger,
        timestamp=stamp(one.ended_at),
        method=one.method,
        path=one.path,
        status_code=one.status,
        status_code_too=one.status,
        duration_ms=one.duration_ms,
        duration=one.duration_ms,
        memory_mb=memory_mb,
        memory_used=memory_mb,
        error=one.error or None,
        stack=one.stack or None,
        console_logs=[wire.Console(line.level, line.message, int(line.at * 1000)) for line in one.console],
    )


def told(one: Told) -> bytes:
    """An entry or a gap as a server-sent event."""
    kind, body = ("log", entry(one.entry)) if one.entry else ("gap", wire.Gap(one.gap))
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (one.id, kind.encode(), msgspec.json.encode(body))


def limit(text: str | None) -> int:
    """How many entries. Raises Problem(invalid)."""
    if text is None:
        return BY_DEFAULT
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise wrong("limit", f"limit must be a whole number from 1 to {MOST}")
    return int(text)


def moment(text: str | None, *, name: str = "since") -> datetime | None:
    """A date, or a date and a time, of UTC where it names no zone. Raises Problem(invalid)."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(_PLUS.sub(r"\1+\2", text))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(name, f"{name} must be a date, or a date and a time, like 2026-01-01T00:00:00Z") from None
    return max(at, _EARLIEST)


def since(last_event: str | None) -> Since:
    """From where to follow: behind an event by its id, or from a moment. Raises Problem(invalid)."""
    text = (last_event or "").strip()
    if not text:
        return Since()
    if _DIGITS.fullmatch(text):
        return Since(sequence=int(text))
    try:
        return Since(moment=moment(text))
    except Problem:
        raise wrong("Last-Event-ID", "Last-Event-ID must be the id of an event, or a date and a time") from None


def failed(level: str | None) -> bool:
    """Whether only failures are wanted: a level that is none means all."""
    return level == "error"


def is_true(text: str | None) -> bool:
    """Whether a switch is on."""
    return (text or "").lower() in {"true", "1"}
