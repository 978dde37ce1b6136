"""Between logs and their bodies, and what is asked of them. Pure."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.api.core import entries as core
from services.api.core.following import Since, Told
from services.api.core.lines import Chunk
from services.api.core.runs import Gap, Item
from services.api.dialects.apps.translate.stamps import stamp
from services.api.dialects.apps.wire import logs as wire
from shared.domain.line import RANK, Why
from shared.domain.problem import Problem, wrong

MOST, BY_DEFAULT = 1000, 100
_DIGITS = re.compile(r"[0-9]{1,19}")
_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")  # a + that was not escaped in a query is a space
_MIB = 1 << 20
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

KEEP_ALIVE = b": keep-alive\n\n"
BEGIN = b": following\n\n"

_WHY: dict[Why, str] = {
    "before": "The call ran already when you began to follow",
    "rate": "More lines were written in a second than are passed on",
    "bounds": "The call wrote more lines than it may",
    "slow": "You took less than came",
    "lost": "Lost on the way: the list of logs has what is on record",
    "died": "The run of the call was cut",
    "history": "Older calls than these are not kept for followers: the list of logs has what is on record",
}
_LINE = b'event: line\ndata: {"n":%d,"task_id":"%b","level":"%b","at":%d,"message":%b}\n\n'
_encode = msgspec.json.Encoder().encode


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
        console_logs=[
            wire.Console(line.level, line.message, int(line.at * 1000), line.n or msgspec.UNSET) for line in one.console
        ],
        warnings=one.warnings or msgspec.UNSET,
    )


def told(one: Told) -> bytes:
    """An entry, or that some may be missing, as a server-sent event."""
    kind, body = ("log", entry(one.entry)) if one.entry else ("gap", _gap(None, None, None, "history"))
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (one.id, kind.encode(), _encode(body))


class Wanted(NamedTuple):
    """Which lines: those of this rank at least, written after this moment, ms since 1970."""

    rank: int = 0
    after: int = 0


def lines(chunk: Chunk, wanted: Wanted) -> bytes:
    """Lines and gaps as server-sent events: made once for all who want the same ones."""
    if wanted.after < chunk.oldest:  # as a rule: what comes now is new
        wanted = Wanted(wanted.rank)
    shown = chunk.shown.get(wanted)
    if shown is None:
        shown = chunk.shown[wanted] = b"".join(_shown(one) for one in chunk.items if _is_wanted(one, wanted))
    return shown


def wanted(level: str | None, since: datetime | None) -> Wanted:
    """Which lines are wanted: a level that is none means all."""
    return Wanted(RANK.get(level or "", 0), 0 if since is None else int(since.timestamp() * 1000))


def _is_wanted(one: Item, wanted: Wanted) -> bool:
    return isinstance(one, Gap) or (RANK[one.line.level] >= wanted.rank and one.line.at > wanted.after)


def _shown(one: Item) -> bytes:
    if isinstance(one, Gap):
        return b"event: gap\ndata: %b\n\n" % _encode(_gap(one.task_id, one.first, one.last, one.why))
    task_id, attempt, line = one
    if attempt == 1 and not line.cut:  # as a rule, and tens of thousands a second: a third of what a struct takes
        return _LINE % (line.n, task_id.encode(), line.level.encode(), line.at, _encode(line.message))
    told = wire.Line(
        n=line.n, task_id=task_id, level=line.level, at=line.at, message=line.message, cut=line.cut, attempt=attempt
    )
    return b"event: line\ndata: %b\n\n" % _encode(told)


def _gap(task_id: str | None, first: int | None, last: int | None, why: Why) -> wire.Gap:
    return wire.Gap(task_id=task_id, first=first, last=last, why=why, message=_WHY[why])


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
