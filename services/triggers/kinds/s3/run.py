"""One source's life in the process that has its lease: run, tried again after a fault, begun anew when it changes."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

from services.triggers.kind import World
from services.triggers.kinds.s3.adapter import Source, SourceFault
from services.triggers.kinds.s3.adapters import ADAPTERS
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.fanout import Fanout
from services.triggers.kinds.s3.reports import Reports
from services.triggers.kinds.s3.sources import Opened, Sources
from services.triggers.kinds.s3.storage import Storages
from shared import telemetry
from shared.bus.leases import Held
from shared.domain.event_source import EventSource
from shared.domain.problem import Problem
from shared.store.event_sources import Key

_FIRST_S = 0.5  # the pause after a first fault; it doubles with each further one
_MOST_DOUBLINGS = 20
_CANCEL_S = 5.0  # an adapter that has not ended by then is left to itself
_log = telemetry.logger("sources")


class Parts:
    """What all runs of a process share."""

    def __init__(self, world: World, sources: Sources, fanout: Fanout) -> None:
        self.world = world
        self.sources = sources
        self.fanout = fanout
        self.reports = Reports(world.service)
        self.storages = Storages(world)

    async def take(self, opened: Opened, events: Sequence[ObjectEvent]) -> None:
        """Take uploads on that a source has learned of, and count them."""
        await self.fanout.take(opened.source, events, head=self.storages.head_of(opened))
        if events:
            self.reports.count(opened.source, len(events))


class Run:
    """A source that is this process's, until it is lost, gone, or the process ends."""

    def __init__(self, parts: Parts, key: Key, held: Held) -> None:
        self._parts = parts
        self._key = key
        self._held = held
        self._faults = 0
        self._revision = 0
        self._changed = asyncio.Event()
        self._lost = asyncio.create_task(held.lost.wait())

    def look(self) -> None:
        """The source may be another one than before."""
        source = self._parts.sources.known(self._key)
        if source is None or source.revision != self._revision:
            self._changed.set()

    async def live(self) -> None:
        """Ends when there is nothing to run, or the lease is lost."""
        try:
            while self._held.is_sure() and (source := self._parts.sources.known(self._key)) is not None:
                self._changed.clear()
                self._revision = source.revision
                await self._once(source)
        finally:
            await self._end()

    async def _end(self) -> None:
        self._lost.cancel()
        self._parts.storages.close(self._key)
        if self._held.is_sure():
            self._parts.reports.ended(self._key)  # should somebody else have it by the time it is written, it is not
            await self._held.release()
        else:
            self._parts.reports.lost(self._key)
            _log.warning("a source is somebody else's", tenant=self._key[0], source=self._key[1])

    async def _once(self, source: EventSource) -> None:
        """Run it until it fails or changes; a fault is followed by a pause."""
        reason, said = "fault", ""
        try:
            opened = self._parts.sources.opened(source)
            await self._run(opened)
            if self._changed.is_set() or self._held.lost.is_set():
                self._faults = 0
                return
            said = "It ended by itself"
        except SourceFault as fault:
            said = _without(str(fault), self._secrets(source))
        except Problem as problem:
            reason, said = "unavailable", problem.message
        except Exception as error:  # noqa: BLE001 - one source's trouble must not touch another's
            reason, said = "crash", f"An internal fault, which the operator's log has: {type(error).__name__}"
            _log.error("a source failed by a fault of ours", **_named(source), exc_info=error)
        telemetry.SOURCE_FAULTS.labels(source.kind, reason).inc()
        _log.warning("a source fails", **_named(source), reason=said)
        if self._held.is_sure():
            self._parts.reports.say(source, "failing", said)
        await self._pause()

    async def _run(self, opened: Opened) -> None:
        source = opened.source
        if not self._faults:
            self._parts.reports.say(source, "starting")

        async def take(events: Sequence[ObjectEvent]) -> None:
            if not self._held.is_sure():
                raise Problem("unavailable", "The source is another process's by now")
            await self._parts.take(opened, events)

        def well() -> None:
            if self._held.is_sure():
                self._faults = 0
                self._parts.reports.say(source, "running")

        given = Source(source, opened.config, opened.secrets, self._parts.world, take, well)
        adapter = asyncio.create_task(_adapted(given))
        try:
            await self._until_news(adapter)
        finally:
            adapter.cancel()
            ended, _ = await asyncio.wait({adapter}, timeout=_CANCEL_S)
            if not ended:
                _log.error("a source does not end", **_named(source))
        if ended and not adapter.cancelled():
            adapter.result()

    async def _until_news(self, *tasks: "asyncio.Task[None]", timeout_s: float | None = None) -> None:
        """Until one of the tasks ends, the source changes, or the lease is lost."""
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({*tasks, changed, self._lost}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()

    async def _pause(self) -> None:
        most_s = self._parts.world.settings.source_pause_s
        pause_s = min(most_s, _FIRST_S * 2.0 ** min(self._faults, _MOST_DOUBLINGS))
        self._faults += 1
        await self._until_news(timeout_s=pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _secrets(self, source: EventSource) -> list[str]:
        with suppress(SourceFault):
            return list(self._parts.sources.opened(source).secrets.values())
        return []


async def _adapted(source: Source) -> None:
    await ADAPTERS[source.source.kind](source)


def _without(text: str, secrets: list[str]) -> str:
    """The text, should an adapter have repeated what it was told."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def _named(source: EventSource) -> dict[str, str]:
    return {"tenant": source.tenant, "source": source.name, "kind": source.kind}
