"""The warm workers of one mode: which there are, whose they are, and when one is spent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic

from services.executor.mode import Call, Crowded, Unavailable
from services.executor.pool.places import Places
from services.executor.pool.tally import Tally
from services.executor.pool.worker import K, PooledWorker, W
from shared import tracing

Make = Callable[[K, Call], Awaitable[W]]
"""Makes a worker of a key, ready for this call, its first. Raises Unavailable."""


class Pool(Generic[K, W]):
    """The workers of one mode, within the places of the executor."""

    def __init__(self, make: Make[K, W], places: Places, tally: Tally) -> None:
        self._make = make
        self._places = places
        self._bounds = places.bounds
        self._tally = tally
        self._idle: dict[K, list[PooledWorker[K, W]]] = {}
        self._making = 0
        self._closed = False
        self.live: set[PooledWorker[K, W]] = set()
        tally.shows("busy", lambda: self.workers - self.idle)
        tally.shows("warm", lambda: self.idle)

    @property
    def workers(self) -> int:
        """Workers that live or are being made."""
        return len(self.live) + self._making

    @property
    def idle(self) -> int:
        """Workers that wait for a call."""
        return sum(map(len, self._idle.values()))

    async def take(self, key: K, call: Call) -> PooledWorker[K, W]:
        """A worker of this key for one call, warm if there is one. Raises Unavailable, Crowded."""
        worker = self._warm(key)
        if worker is not None:
            return worker
        try:
            async with asyncio.timeout(self._bounds.place_timeout_s):
                while not self._places.take(key):
                    if self._places.is_crowded(key.tenant):
                        raise Crowded("every worker of the tenant is busy")
                    await self._places.change()
                    worker = self._warm(key)
                    if worker is not None:
                        return worker
        except TimeoutError as error:
            raise Unavailable("every worker is busy") from error
        return await self._fresh(key, call)

    def give_back(self, worker: PooledWorker[K, W]) -> None:
        """Keep the worker for the next call of its key, unless it is spent or dead."""
        worker.calls += 1
        self._places.lingered(worker)
        if not worker.link.alive:
            return
        if self._spent(worker):
            worker.link.end("recycled")
            return
        worker.held_bytes = max(0, worker.link.grown_bytes)
        self._idle.setdefault(worker.key, []).append(worker)
        self._places.rest(worker)

    def linger(self, worker: PooledWorker[K, W]) -> None:
        """Its call is over, and it is not to be had yet; until `give_back`, others may need its place more."""
        self._places.linger(worker)

    def retire(self) -> None:
        """End what is idle and has been retired; what is busy ends when it comes back."""
        for worker in [worker for waiting in self._idle.values() for worker in waiting]:
            if worker.link.retired:
                worker.link.end("recycled")

    def close(self) -> None:
        """End every worker; calls that still run are cut."""
        self._closed = True
        for worker in list(self.live):
            worker.link.end("closed")

    def _warm(self, key: K) -> PooledWorker[K, W] | None:
        waiting = self._idle.get(key)
        if not waiting:
            return None
        worker = waiting[-1]  # the one used last has the warmest caches; the others may age
        if not self._places.may_wake(worker):
            return None
        self._wake(worker)
        self._tally.started(warm=True)
        return worker

    async def _fresh(self, key: K, call: Call) -> PooledWorker[K, W]:
        """A new one, in a place that is taken already."""
        self._making += 1
        if tracing.on:
            tracing.note({"faas.coldstart": True})
        try:
            with tracing.span("start a worker"):
                link = await self._make(key, call)
        except BaseException:
            self._places.free(key)
            raise
        finally:
            self._making -= 1
        worker = PooledWorker(key, link)
        self._tally.started(warm=False, spare=link.spare)
        if not link.alive:  # it died before anybody listened; the call finds out
            self._places.free(key)
            self._tally.ended(link)
            return worker
        link.on_end = lambda _: self._ended(worker)
        self.live.add(worker)
        if self._closed:  # while it was made
            link.end("closed")
        return worker

    def _ended(self, worker: PooledWorker[K, W]) -> None:
        if self._places.is_idle(worker):
            self._wake(worker)
        self.live.discard(worker)
        self._tally.ended(worker.link)
        self._places.free(worker.key)

    def _wake(self, worker: PooledWorker[K, W]) -> None:
        """Count it among the busy ones."""
        waiting = self._idle[worker.key]
        waiting.remove(worker)
        if not waiting:
            del self._idle[worker.key]
        self._places.wake(worker)

    def _spent(self, worker: PooledWorker[K, W]) -> bool:
        if worker.link.retired or worker.calls >= self._bounds.recycle_calls:
            return True
        return worker.link.grown_bytes > self._bounds.recycle_memory_share * (worker.key.memory_mb << 20)
