"""The passes over the streams and the record: each reads one of them and writes onto the sheet what it says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec

from shared.audit.report import MOST_NAMED, Report
from shared.audit.sheet import Row, Sheet
from shared.bus import backlog, scan, streams, subjects
from shared.bus.broker import Bus
from shared.bus.scan import Entry
from shared.store import states
from shared.store.client import Store
from shared.store.states import State

Told = Callable[[str, int], None]
"""Called now and then with what is read, and how many of it are."""

_PAGE = 1000
_RETRYING = ".retrying"


def nobody(_stage: str, _count: int) -> None:
    """Nobody is told."""


class Twice(NamedTuple):
    """A message of a task beside the one that its record names."""

    what: str
    task_id: str
    subject: str
    sequence: int
    recorded: int


class _Body(msgspec.Struct, frozen=True):
    task_id: str = ""


def task_of(data: bytes) -> str:
    """Whose command or event this is, empty where it cannot be read."""
    try:
        return msgspec.json.decode(data, type=_Body).task_id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


class Passes:
    """Of one audit. `twice` collects what may be doubled, not without end, to be looked at when all is read."""

    def __init__(self, bus: Bus, store: Store, *, tenant: str, told: Told = nobody) -> None:
        self.bus = bus
        self.store = store
        self.tenant = tenant
        self.told = told
        self.sheet = Sheet()
        self.twice: list[Twice] = []

    async def commands(self, report: Report, *, upto: int) -> None:
        """INVOKE: what has ended on record is counted, and the rest goes onto the sheet."""
        read = 0
        patterns = [subjects.invoke(self.tenant or "*", "*")]
        async for entries, known in self._with_states(streams.INVOKE, patterns, after=0, upto=upto):
            self.sheet.add(_row(one, known.get(_task(one))) for one in entries if not _has_ended(known.get(_task(one))))
            for entry in entries:
                state = known.get(_task(entry))
                if state is None or _is_again(entry):
                    continue
                if state.id != entry.sequence:
                    self._doubt(Twice("command", state.task_id, entry.subject, entry.sequence, state.id))
                elif state.has_ended:
                    report.end(state.status)
            read += len(entries)
            self.told("commands", read)

    def _doubt(self, twice: Twice) -> None:
        if len(self.twice) < MOST_NAMED:
            self.twice.append(twice)

    async def unended(self, *, before: float, upto: int) -> None:
        """The record: what has not ended, and whose command is older than the streams, goes onto the sheet too."""
        last: State | None = None
        while page := await states.unended(self.store, before=before, limit=_PAGE, after=last):
            last = page[-1]
            wanted = [one for one in page if one.id <= upto and (not self.tenant or one.tenant == self.tenant)]
            self.sheet.add(
                Row(one.task_id, one.tenant, one.function, one.status, one.attempts, 0, 0, 0, "") for one in wanted
            )

    async def places(self) -> None:
        """WORK: who has what, or when it is due."""
        takers, read = await backlog.takers(self.bus), 0
        async for found in backlog.queued(self.bus):
            self.sheet.place(
                (one.task_id, "running" if takers.have(one) else "queued") if one.is_due else (one.task_id, "scheduled")
                for one in found
            )
            read += len(found)
            self.told("work", read)

    async def letters(self) -> None:
        """DEAD: commands that could not be read."""
        pattern = subjects.dead(self.tenant or "*", "*")
        async for entries in scan.headers(self.bus, streams.DEAD, subjects=[pattern]):
            parted = [entry.id.partition(".") for entry in entries]
            self.sheet.bury(int(number) for name, _, number in parted if name == streams.INVOKE and number.isdigit())

    async def ends(self, report: Report, *, after: int, marked: int) -> int:
        """EVENTS behind `after`, to its end: what has ended. Up to where it was read."""
        patterns, read = [subjects.event(self.tenant or "*", "*", what) for what in ("finished", "retrying")], 0
        async for entries, known in self._with_states(streams.EVENTS, patterns, after=after, upto=0):
            self._ended(report, [one for one in entries if not one.subject.endswith(_RETRYING)], known, marked=marked)
            self.sheet.retried(_tries(entries))
            after, read = entries[-1].sequence, read + len(entries)
            self.told("events", read)
        return after

    def _ended(self, report: Report, ended: list[Entry], known: dict[str, State], *, marked: int) -> None:
        """Those that have ended on record meanwhile leave the sheet; of the others it says so."""
        ends: list[tuple[str, int]] = []
        over: dict[str, str] = {}
        for entry in ended:
            task_id = _task(entry)
            state = known.get(task_id)
            if state is None or not state.has_ended:
                ends.append((task_id, entry.sequence))
                if state is None and entry.sequence <= marked:
                    self.sheet.add([_unknown(entry)])
                continue
            over[task_id] = state.status
            if state.event and state.event != entry.sequence:
                self._doubt(Twice("end", task_id, entry.subject, entry.sequence, state.event))
        self.sheet.end(ends)
        self._leave(report, over)

    def _leave(self, report: Report, over: dict[str, str]) -> None:
        if over:
            for row in self.sheet.has(over).values():
                if row.first:
                    report.end(over[row.task_id])
            self.sheet.remove(over)

    async def again(self, report: Report) -> None:
        """Look up on record what the sheet still has, and take off what has ended there."""
        for page in self.sheet.rows():
            known = await states.states(self.store, [row.task_id for row in page])
            self._leave(report, {id: state.status for id, state in known.items() if state.has_ended})
            self.sheet.update((id, state.status, state.attempts) for id, state in known.items())

    async def _with_states(
        self, stream: str, patterns: list[str], *, after: int, upto: int
    ) -> AsyncIterator[tuple[list[Entry], dict[str, State]]]:
        """The messages with the records of their tasks; the next ones are read while these are looked up."""
        before: tuple[list[Entry], asyncio.Task[dict[str, State]]] | None = None
        try:
            async for found in scan.headers(self.bus, stream, subjects=patterns, after=after, upto=upto):
                entries = [one if one.id else await self._named(stream, one) for one in found]
                looked, before = before, (entries, asyncio.create_task(self._states(entries)))
                if looked is not None:
                    yield looked[0], await looked[1]
            if before is not None:
                yield before[0], await before[1]
        finally:
            if before is not None:
                before[1].cancel()

    async def _named(self, stream: str, entry: Entry) -> Entry:
        """Of a message that was stored without an id: its body says whose it is."""
        found = await scan.message(self.bus, stream, entry.sequence)
        return entry._replace(id="" if found is None else task_of(found.data))

    async def _states(self, entries: list[Entry]) -> dict[str, State]:
        ids = {_task(entry) for entry in entries if not entry.subject.endswith(_RETRYING)}
        return await states.states(self.store, list(ids)) if ids else {}


def _task(entry: Entry) -> str:
    """Message ids begin with the task's."""
    return entry.id.partition(".")[0]


def _is_again(entry: Entry) -> bool:
    """Whether a command was put into the queue anew: then its message id says more than the task."""
    return "." in entry.id


def _has_ended(state: State | None) -> bool:
    return state is not None and state.has_ended


def _row(entry: Entry, state: State | None) -> Row:
    _, tenant, function = entry.subject.split(".")
    status, attempts = ("", 0) if state is None else (state.status, state.attempts)
    first = 0 if _is_again(entry) else entry.sequence
    return Row(_task(entry), tenant, function, status, attempts, first, entry.sequence, 0, "")


def _unknown(end: Entry) -> Row:
    """Of an end without a record, whose command may be older than the streams."""
    _, tenant, function, _ = end.subject.split(".")
    return Row(_task(end), tenant, function, "", 0, 0, 0, end.sequence, "")


def _tries(entries: list[Entry]) -> list[tuple[str, int]]:
    """Which of the tasks' tries have ended, by the ids `<task>.retrying.<number>`."""
    tries = [entry.id.rpartition(".") for entry in entries if entry.subject.endswith(_RETRYING)]
    return [(id.partition(".")[0], int(number)) for id, _, number in tries if number.isdigit()]
