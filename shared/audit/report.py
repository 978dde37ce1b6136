"""What an audit says: how much there is of everything, and what is not as it should be."""

from typing import Literal

import msgspec

Kind = Literal["missing", "lost", "stuck", "doubled"]
"""Missing: the streams have it, and the record has not, though the recorder is past it. Lost: accepted, not ended, and
nowhere. Stuck: the record waits for an end that has come, or that nobody is to make. Doubled: there twice."""

What = Literal["command", "end", "place", "metrics"]
"""What of the task it is that is missing, doubled, or waited for."""

MOST_NAMED = 10_000  # findings that a report names; the others are counted
KINDS: tuple[Kind, ...] = ("missing", "lost", "stuck", "doubled")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be. `detail` is a sentence for people.

    `command` is the sequence of the task's last command in INVOKE, `event` that of an end in EVENTS, `attempts` how
    many of its tries have ended; 0 for none. Of what is `doubled`, it is the one too many, and `kept` is the other one.
    `function_id` is there where it is of no task, but of its function.
    """

    kind: Kind
    what: What
    tenant: str
    function: str
    task_id: str
    detail: str
    command: int = 0
    event: int = 0
    attempts: int = 0
    kept: int = 0
    function_id: int = 0


class Report(msgspec.Struct, kw_only=True):
    """What there is of the commands that the streams held when the audit began, and all that was found.

    `accepted` are those, `finished` by the status of their end, `unrecorded` the ones of these whose end is not on
    record yet because the recorder has not come so far. The others are with the router, `queued`, `running` (in the
    hands of an executor), `scheduled` (put off to a moment), or `buried` (they cannot be read). `older` are records
    without an end whose command the streams hold no more, wherever they are. `dead` counts the dead letters.
    """

    tenant: str = ""
    accepted: int = 0
    finished: dict[str, int] = {}
    unrecorded: int = 0
    routing: int = 0
    queued: int = 0
    running: int = 0
    scheduled: int = 0
    buried: int = 0
    older: int = 0
    dead: int = 0
    found: dict[Kind, int] = msgspec.field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    findings: list[Finding] = []
    notes: list[str] = []
    took_s: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not any(self.found.values())

    def add(self, finding: Finding) -> None:
        """Count it, and name it unless very many are."""
        self.found[finding.kind] += 1
        if len(self.findings) < MOST_NAMED:
            self.findings.append(finding)

    def end(self, status: str, *, count: int = 1) -> None:
        """Some have ended like this."""
        self.finished[status] = self.finished.get(status, 0) + count
