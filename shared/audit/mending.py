"""Mending what an audit found: record again what the streams have, put in anew what is lost, end what nobody ends.

Each finding is mended by itself, by writes that a repeat does not change: who is killed in the middle leaves some of
them to the next one.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.audit.passes import Told, nobody
from shared.audit.report import Finding
from shared.bus import backlog, scan, streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Event, Finished, Invoke
from shared.cancelling import end_of_record
from shared.directory import Tenants
from shared.domain.invocation import FINAL, Invocation, Timeline
from shared.domain.outcome import failure
from shared.domain.retention import kept_s
from shared.store import checkpoints, invocations, metrics, retention, states
from shared.store.client import Store, Upsert
from shared.store.invocations import Invocations
from shared.store.retention import Kept

Project = Callable[[Iterable[Delivery[Invoke]], Sequence[Delivery[Event]], Mapping[str, float]], list[Upsert]]
"""The recorder's own: commands and events to writes, of records kept for so many seconds by tenant."""

_AT_ONCE = 16
_BELIEVED_S = 60.0  # a tenant's limits
_TRIED = ("retrying", "cut")
_KNOWN = "its end was in EVENTS a moment ago, and has gone; the bus takes none before SHOAL_DEDUPE_S have passed"
_NOTHING = "the streams have nothing of it any more"
_CLOSED = "nobody had it any more, and the streams held its command no more"


class Mended(msgspec.Struct, kw_only=True):
    """What became of the findings: how many were mended, by what was done, and why others were not."""

    done: dict[str, int] = {}
    left: dict[str, str] = {}

    def did(self, what: str) -> None:
        """One more."""
        self.done[what] = self.done.get(what, 0) + 1

    def join(self, other: "Mended") -> None:
        """What another pass did."""
        for what, count in other.done.items():
            self.done[what] = self.done.get(what, 0) + count
        self.left = other.left

    def leave(self, finding: Finding, why: str) -> None:
        """Not this one."""
        self.left[finding.task_id] = why


class Mending:
    """One pass over the findings of an audit."""

    def __init__(self, bus: Bus, store: Store, project: Project) -> None:
        self._bus = bus
        self._store = store
        self._project = project
        self._tenants = Tenants(store, cache_s=_BELIEVED_S)
        self._kept: Kept | None = None
        self._tries: dict[str, list[int]] = {}  # of what is missing, the sequences of what was told of it in between
        self._routed = 0
        self._mended = Mended()

    async def mend(self, findings: Sequence[Finding], *, told: Told = nobody) -> Mended:
        """Mend them all, in their order, some side by side. Raises Problem(unavailable)."""
        self._routed = (await backlog.routing(self._bus)).floor
        self._kept = await retention.noted(self._store)
        await self._look_up({finding.task_id for finding in findings if finding.kind == "missing"})
        for first in range(0, len(findings), _AT_ONCE):
            await asyncio.gather(*(self._mend(finding) for finding in findings[first : first + _AT_ONCE]))
            told("mended", min(first + _AT_ONCE, len(findings)))
        if any(finding.what == "metrics" for finding in findings):
            await checkpoints.begin_anew(self._store, checkpoints.RECORDER)
        return self._mended

    async def _look_up(self, missing: set[str]) -> None:
        patterns = [subjects.event("*", "*", what) for what in _TRIED]
        async for entries in scan.headers(self._bus, streams.EVENTS, subjects=patterns if missing else []):
            for entry in entries:
                if (task_id := entry.id.partition(".")[0]) in missing:
                    self._tries.setdefault(task_id, []).append(entry.sequence)

    async def _mend(self, finding: Finding) -> None:
        match finding.kind, finding.what:
            case "lost", _:
                await self._put_in_anew(finding)
            case "stuck", "place":
                await self._close(finding)
            case "doubled", "end":
                await self._take_out_end(finding)
            case "doubled", "command":
                await self._take_out_command(finding)
            case "doubled", _:
                await metrics.forget(self._store, finding.tenant, finding.function_id)
                self._mended.did("counted again")
            case _:
                await self._record(finding)

    async def _record(self, finding: Finding) -> None:
        """Write what the streams have of it, as the recorder would."""
        ends = await self._read(streams.EVENTS, finding.event, Finished)
        command = finding.command or (ends[0].body.id if ends else 0)
        commands = await self._read(streams.INVOKE, command, Invoke) if finding.kind == "missing" else []
        events: list[Delivery[Event]] = [*ends]
        for sequence in self._tries.get(finding.task_id, ()):
            events += await self._read(streams.EVENTS, sequence, Event)
        if not commands and not events:
            return self._mended.leave(finding, _NOTHING)
        commands = [one for one in commands if one.body.task_id == finding.task_id]
        await invocations.write(self._store, await self._writes(events, commands))
        return self._mended.did("recorded again")

    async def _put_in_anew(self, finding: Finding) -> None:
        """Publish the command once more. Its own message id makes it one, whoever mends beside us."""
        found = await self._read(streams.INVOKE, finding.command, Invoke)
        if not found:
            return self._mended.leave(finding, _NOTHING)
        if await scan.knows(self._bus, streams.EVENTS, _ends_of(finding), id=_end_id(finding)):
            return self._mended.leave(finding, _KNOWN)
        command = found[0].body
        number, attempt = command.id or finding.command, max(command.attempt, finding.attempts + 1)
        again = msgspec.structs.replace(command, id=number, attempt=attempt)
        subject = subjects.invoke(command.tenant, command.function)
        await self._bus.store(subject, again, id=f"{command.task_id}.again.{finding.command}")
        return self._mended.did("put in anew")

    async def _close(self, finding: Finding) -> None:
        """End it: it cannot be run, as nobody knows its command any more."""
        record = await Invocations(self._store, finding.tenant).by_task(finding.task_id)
        if record is None or record.status in FINAL:
            return None
        end = _closed(record)
        stored = await self._bus.store(_ends_of(finding), end, id=_end_id(finding))
        if stored.duplicate:
            return self._mended.leave(finding, _KNOWN)
        await invocations.write(self._store, await self._writes([Delivery(end, stored.sequence, 1)]))
        return self._mended.did("closed")

    async def _take_out_end(self, finding: Finding) -> None:
        """The first end is the one that counts: it is on record, and then the other one goes."""
        found = (await states.states(self._store, [finding.task_id])).get(finding.task_id)
        if found is None:
            return self._mended.leave(finding, "it is not on record")
        if found.event == finding.event:
            ends = await self._read(streams.EVENTS, finding.kept, Finished)
            writes = await self._writes(ends)
            if not writes:
                return self._mended.leave(finding, _NOTHING)
            await states.replace_end(self._store, found, writes[0].change["$set"])
        await scan.remove(self._bus, streams.EVENTS, finding.event)
        return self._mended.did("taken out")

    async def _take_out_command(self, finding: Finding) -> None:
        if finding.command > self._routed:
            return self._mended.leave(finding, "it is not routed yet")
        await scan.remove(self._bus, streams.INVOKE, finding.command)
        return self._mended.did("taken out")

    async def _writes(
        self, events: Sequence[Delivery[Event]], commands: Iterable[Delivery[Invoke]] = ()
    ) -> list[Upsert]:
        """The recorder's, kept for as long as what it writes now."""
        kept: dict[str, float] = {}
        if self._kept is not None:
            days, streams_days = self._kept
            for slug in {event.body.tenant for event in events}:
                limits = (await self._tenants.find(slug)).limits
                kept[slug] = kept_s(days, streams_days=streams_days, tenant=limits)
        return self._project(commands, events, kept)

    async def _read(self, stream: str, sequence: int, body: Any) -> list[Delivery[Any]]:
        """The message of this sequence, or nothing where it has gone."""
        found = await scan.message(self._bus, stream, sequence)
        return [] if found is None else [Delivery(msgspec.json.decode(found.data, type=body), sequence, 1)]


def _ends_of(finding: Finding) -> str:
    return subjects.event(finding.tenant, finding.function, "finished")


def _end_id(finding: Finding) -> str:
    return f"{finding.task_id}.finished"


def _closed(record: Invocation) -> Finished:
    """An end for a record, by what it says itself; nobody knows for how long it ran."""
    end = end_of_record(record, failure("Undeliverable", _CLOSED))
    timeline = Timeline(accepted=end.timeline.accepted, done=end.timeline.done)
    return msgspec.structs.replace(end, timeline=timeline, delivery=0)
