"""What is said of a task by the places where it was seen. Pure."""

from typing import NamedTuple

from shared.audit.report import Finding
from shared.audit.sheet import Row
from shared.domain.invocation import FINAL


class Marks(NamedTuple):
    """How far others are: all up to `commands` and `ends` is on record, all commands up to `routed` are routed."""

    commands: int
    ends: int
    routed: int


def finding_of(row: Row, marks: Marks) -> Finding | None:
    """What is wrong with a task that had not ended on record when it was looked up, if anything is."""
    if row.status in FINAL:
        return None
    if row.event:
        return _ended(row) if row.event <= marks.ends else None
    if row.place == "buried":
        return None
    unknown = not row.status and 0 < row.command <= marks.commands
    if row.place or row.command > marks.routed:
        return _found(row, "missing", "command", "the command is not on record") if unknown else None
    if row.command:
        return _found(row, "lost", "place", "accepted and routed, not ended, and nobody has it")
    return _found(row, "stuck", "place", "nobody has it, and the streams hold its command no more")


def _ended(row: Row) -> Finding:
    if row.status:
        return _found(row, "stuck", "end", f"it has ended, and is {row.status} on record")
    return _found(row, "missing", "end", "it has ended, and is not on record")


def _found(row: Row, kind: str, what: str, detail: str) -> Finding:
    return Finding(
        kind=kind,  # type: ignore[arg-type]  # a Kind
        what=what,  # type: ignore[arg-type]  # a What
        tenant=row.tenant,
        function=row.function,
        task_id=row.task_id,
        detail=detail,
        command=row.command,
        event=row.event,
        attempts=row.attempts,
    )


def where(row: Row, marks: Marks) -> str:
    """In which of the report's numbers a task counts that has not ended on record: a field, empty for a finding."""
    if row.event:
        return "unrecorded"
    if row.place:
        return row.place
    return "routing" if row.command > marks.routed else ""
