"""Lines of functions while their calls run: heard once for all who follow a function here, and kept for a while."""

import asyncio
from collections import deque
from collections.abc import Sequence

from services.api.core.runs import Gap, Item, Runs, Written
from shared import telemetry
from shared.bus import lines as wire
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.channels import Ear, Hearing
from shared.domain.function import Function

_EVENT_BYTES = 160  # of a line as it is sent, beside its message
_MOST_MISSED = 1000  # calls whose missed lines are named to one follower at once

_Key = tuple[str, int]


class Chunk:
    """What came at once, in order. `shown` is room for what is made of it for followers, by what they want."""

    __slots__ = ("items", "oldest", "shown", "size")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.size = sum(_EVENT_BYTES + (len(one.line.message) if isinstance(one, Written) else 0) for one in items)
        self.oldest = min((one.line.at for one in items if isinstance(one, Written)), default=0)
        self.shown: dict[object, bytes] = {}


class Hub:
    """The lines of one function, and who follows them here."""

    def __init__(self) -> None:
        self.runs = Runs()
        self.listeners: set[Heard] = set()
        self.hearing: Hearing | None = None

    def heard(self, data: bytes) -> None:
        """A batch came."""
        batch = wire.batch_of(data)
        if batch is None:
            return
        items = [item for said in batch.said for item in self.runs.take(said)]
        telemetry.LOGS_DROPPED.labels("bus").inc(sum(_lost(one) for one in items))
        chunk = Chunk(items)
        for listener in self.listeners:
            listener.put(chunk)


def _lost(one: Item) -> int:
    """How many lines were lost on the way here."""
    if isinstance(one, Written) or one.why != "lost" or one.first is None or one.last is None:
        return 0
    return one.last - one.first + 1


class Heard:
    """What has come for one follower, and was not taken yet: up to `most_bytes`, then the oldest goes, and is named."""

    def __init__(self, lines: "Lines", key: _Key, hub: Hub, *, most_bytes: int) -> None:
        self._lines = lines
        self._key = key
        self._hub = hub
        self._most_bytes = most_bytes
        self._bytes = 0
        self._came: deque[Chunk] = deque()
        self._missed: dict[tuple[str | None, int], Gap] = {}
        self.news = asyncio.Event()
        if missed := hub.runs.running():
            self.put(Chunk(missed))
        hub.listeners.add(self)

    @property
    def runs(self) -> Runs:
        """What is known of the function's calls."""
        return self._hub.runs

    def put(self, chunk: Chunk) -> None:
        """Something came: that of a call no more is to come is news, too."""
        if chunk.items:
            self._came.append(chunk)
            self._bytes += chunk.size
        while self._bytes > self._most_bytes and self._came:
            self._drop(self._came.popleft())
        self.news.set()

    def take(self) -> Chunk | None:
        """What is the next to be told, or None."""
        if self._missed:
            missed, self._missed = self._missed, {}
            return Chunk(list(missed.values()))
        if not self._came:
            self.news.clear()
            return None
        chunk = self._came.popleft()
        self._bytes -= chunk.size
        return chunk

    async def close(self) -> None:
        """Hear no more."""
        self._came.clear()
        self._hub.listeners.discard(self)
        await self._lines.left(self._key)

    def _drop(self, chunk: Chunk) -> None:
        self._bytes -= chunk.size
        for one in chunk.items:
            first, last = (one.first, one.last) if isinstance(one, Gap) else (one.line.n, one.line.n)
            key = (one.task_id, one.attempt)
            before = self._missed.get(key)
            if before is not None:
                first = before.first
            elif len(self._missed) >= _MOST_MISSED:
                key, first, last = (None, 0), None, None
            self._missed[key] = Gap(*key, first, last, "slow")
            if isinstance(one, Written):
                telemetry.LOGS_DROPPED.labels("follower").inc()


class Lines:
    """Every function that is followed here. To be opened; each follower is to be closed."""

    def __init__(self, bus: Bus, *, most_bytes: int) -> None:
        self._bus = bus
        self._most_bytes = most_bytes
        self._ear = Ear(bus)
        self._hubs: dict[_Key, Hub] = {}
        self._turn = asyncio.Lock()
        self._announcing = wire.Announcing(bus, lambda: list(self._hubs))

    async def open(self) -> None:
        """Say who is followed, from now on."""
        await self._announcing.open()

    def close(self) -> None:
        """Say nothing more."""
        self._announcing.close()

    async def follow(self, function: Function) -> Heard:
        """Hear a function's lines from now on. Raises Problem(unavailable)."""
        key = (function.tenant, function.id)
        async with self._turn:
            hub = self._hubs.get(key)
            if hub is None:
                hub = Hub()
                hub.hearing = await self._ear.hear(subjects.lines(*key), hub.heard)
                self._hubs[key] = hub
            heard = Heard(self, key, hub, most_bytes=self._most_bytes)
        try:
            await self._announcing.announce(*key)
        except BaseException:
            await heard.close()
            raise
        return heard

    async def left(self, key: _Key) -> None:
        """Somebody does not follow any more."""
        async with self._turn:
            hub = self._hubs.get(key)
            if hub is None or hub.listeners:
                return
            del self._hubs[key]
            if hub.hearing is not None:
                await hub.hearing.stop()
