"""How sources do, written down for their owners to read: states when they change, counts of events now and then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import msgspec

from shared import telemetry
from shared.boot import Service
from shared.domain.event_source import EventSource, SourceState
from shared.domain.problem import Problem
from shared.store import event_sources as stored
from shared.store.event_sources import Key, Said

_EVERY_S = 2.0  # for counts
_SOON_S = 0.05  # for states: what changes together is written together
_MOST_TEXT = 500
_log = telemetry.logger("sources")


class _State(msgspec.Struct, frozen=True):
    state: SourceState
    error: str
    since: datetime
    owner: str


class _Count(msgspec.Struct):
    events: int = 0
    last_at: datetime | None = None


class Reports:
    """What this process says of sources. It is kept until the store has it; nobody waits for that."""

    def __init__(self, service: Service) -> None:
        self._bus = service.bus
        self._store = service.store
        self._owner = service.instance
        self._said: dict[Key, _State] = {}
        self._unwritten: dict[Key, Said] = {}
        self._counts: dict[Key, _Count] = {}
        self._news = asyncio.Event()

    def say(self, source: EventSource, state: SourceState, error: str = "") -> None:
        """The source, which is ours, does so now. `error` is a sentence without secrets."""
        key = (source.tenant, source.id)
        error = error[:_MOST_TEXT].encode(errors="replace").decode()  # what cannot be written would end the service
        before = self._said.get(key)
        if before is not None and (before.state, before.error) == (state, error):
            return
        since = before.since if before is not None and before.state == state else datetime.now(UTC)
        said = self._said[key] = _State(state, error, since, self._owner)
        self._write(Said(key, msgspec.structs.asdict(said)))

    def ended(self, key: Key) -> None:
        """The source is not run by us any more, and perhaps by nobody."""
        if self._said.pop(key, None) is not None:
            values = {"state": "stopped", "error": "", "since": datetime.now(UTC), "owner": ""}
            self._write(Said(key, values, owner=self._owner))

    def lost(self, key: Key) -> None:
        """The source is somebody else's: what is not written yet is not to be."""
        self._said.pop(key, None)
        self._unwritten.pop(key, None)

    def count(self, source: EventSource, events: int) -> None:
        """So many events of the source were taken."""
        counted = self._counts.setdefault((source.tenant, source.id), _Count())
        counted.events += events
        counted.last_at = datetime.now(UTC)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Write for as long as the block runs, and at its end what is left."""
        writing = self._bus.mind(self._keep_writing())
        try:
            yield
        finally:
            writing.cancel()
            with suppress(Problem):
                await self._flush()

    def _write(self, said: Said) -> None:
        self._unwritten[said.key] = said
        self._news.set()

    async def _keep_writing(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_S):
                    await self._news.wait()
                    await asyncio.sleep(_SOON_S)
            self._news.clear()
            try:
                await self._flush()
            except Problem as problem:
                _log.warning("the state of sources cannot be written", reason=problem.message)
                await asyncio.sleep(_EVERY_S)
                self._news.set()

    async def _flush(self) -> None:
        states, self._unwritten = self._unwritten, {}
        counts, self._counts = self._counts, {}
        said = [*states.values(), *(Said(key, {}, one.events, one.last_at) for key, one in counts.items())]
        try:
            await stored.say(self._store, said)
        except Problem:
            # Written perhaps, but that is not known: a state again does no harm, a count may be one batch too high.
            self._unwritten = states | self._unwritten
            for key, one in counts.items():
                later = self._counts.setdefault(key, _Count())
                later.events += one.events
                later.last_at = later.last_at or one.last_at
            raise
