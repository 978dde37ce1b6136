"""Warm workers: which there are, whose they are, and which has to go when there is no room."""

import asyncio
from collections import OrderedDict, deque

from services.executor.mode import Unavailable
from services.executor.modes.python.frames import InitFrame, pack
from services.executor.modes.python.places import Places
from services.executor.modes.python.settings import PythonSettings
from services.executor.modes.python.spares import Spares
from services.executor.modes.python.tally import Tally
from services.executor.modes.python.worker_key import Key
from services.executor.modes.python.worker_link import WorkerLink


class PooledWorker:
    """A worker with its key, and how often it has been used."""

    def __init__(self, key: Key, link: WorkerLink) -> None:
        self.key = key
        self.link = link
        self.calls = 0
        self.held_bytes = 0  # while it is idle
        self.idle_since_s = 0.0


class Pool:
    """The workers of one executor, within the bounds of the settings."""

    def __init__(self, spares: Spares, settings: PythonSettings, tally: Tally) -> None:
        self._loop = asyncio.get_running_loop()
        self._spares = spares
        self._settings = settings
        self._idle: dict[Key, list[PooledWorker]] = {}
        # The same idle workers, the one that has waited longest first.
        self._by_age: OrderedDict[PooledWorker, None] = OrderedDict()
        # Taken by workers that live and by those that are being made.
        self._places = Places(settings)
        self.live: set[PooledWorker] = set()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._tally = tally

    @property
    def workers(self) -> int:
        """Workers that live or are being made."""
        return self._places.taken

    @property
    def idle(self) -> int:
        """Workers that wait for a call."""
        return len(self._by_age)

    async def take(self, key: Key, code: bytes) -> PooledWorker:
        """A worker of this key for one call, warm if there is one. Raises Unavailable."""
        worker = self._warm(key)
        if worker is not None:
            return worker
        try:
            async with asyncio.timeout(self._settings.place_timeout_s):
                while not self._take_place(key):
                    await self._change()
                    worker = self._warm(key)
                    if worker is not None:
                        return worker
        except TimeoutError as error:
            raise Unavailable("every worker is busy") from error
        return await self._make(key, code)

    def give_back(self, worker: PooledWorker) -> None:
        """Keep the worker for the next call of its key, unless it is spent or dead."""
        worker.calls += 1
        if not worker.link.alive:
            return
        if self._spent(worker):
            worker.link.end("recycled")
            return
        worker.held_bytes = max(0, worker.link.grown_bytes)
        self._places.rest(worker.key, worker.held_bytes)
        worker.idle_since_s = self._loop.time()
        self._idle.setdefault(worker.key, []).append(worker)
        self._by_age[worker] = None
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._settings.idle_s, self._end_unused)
        self._notify()

    def retire(self) -> None:
        """End what is idle and comes from a zygote that has been replaced; what is busy ends when it comes back."""
        for worker in list(self._by_age):
            if worker.link.retired:
                worker.link.end("recycled")

    def close(self) -> None:
        """End every worker; calls that still run are cut."""
        if self._sweep is not None:
            self._sweep.cancel()
        for worker in list(self.live):
            worker.link.end("closed")

    def _warm(self, key: Key) -> PooledWorker | None:
        waiting = self._idle.get(key)
        if not waiting:
            return None
        worker = waiting[-1]  # the one used last has the warmest caches; the others may age
        if not self._places.fits(key, worker.held_bytes) and not self._make_room(key, worker):
            return None
        self._forget_idle(worker)
        self._tally.started(warm=True)
        return worker

    async def _make(self, key: Key, code: bytes) -> PooledWorker:
        try:
            link = await self._spares.take()
        except BaseException:
            self._free_place(key)
            raise
        worker = PooledWorker(key, link)
        if not link.alive:  # it died before anybody listened; the call finds out
            self._free_place(key)
            self._tally.ended(link)
            return worker
        link.on_end = lambda _: self._ended(worker)
        self.live.add(worker)
        link.send(pack(InitFrame(code, key.memory_mb)))
        self._tally.started(warm=False)
        return worker

    def _take_place(self, key: Key) -> bool:
        """A place for one more worker, made by ending the longest unused one if there is none."""
        if not self._places.has_memory(key):
            return False
        if self._places.full_for(key.tenant) and not self._evict(tenant=key.tenant):
            return False
        if self._places.full() and not self._evict():
            return False
        self._make_room(key)
        self._places.take(key)
        return True

    def _make_room(self, key: Key, worker: PooledWorker | None = None) -> bool:
        """Memory for one more busy worker, or for this idle one to be busy, made by ending the longest unused."""
        if not self._places.has_memory(key):
            return False
        held_bytes = worker.held_bytes if worker is not None else 0
        while self._places.crowded(key, held_bytes) and self._evict(but=worker):
            pass
        return True

    def _evict(self, *, tenant: str | None = None, but: PooledWorker | None = None) -> bool:
        for worker in self._by_age:
            if worker is not but and tenant in (None, worker.key.tenant):
                worker.link.end("evicted")
                return True
        return False

    def _ended(self, worker: PooledWorker) -> None:
        if worker in self._by_age:
            self._forget_idle(worker)
        self.live.discard(worker)
        self._tally.ended(worker.link)
        self._free_place(worker.key)

    def _free_place(self, key: Key) -> None:
        self._places.free(key)
        self._notify()

    def _forget_idle(self, worker: PooledWorker) -> None:
        """Count it among the busy ones."""
        waiting = self._idle[worker.key]
        waiting.remove(worker)
        if not waiting:
            del self._idle[worker.key]
        del self._by_age[worker]
        self._places.wake(worker.key, worker.held_bytes)

    def _spent(self, worker: PooledWorker) -> bool:
        if worker.link.retired or worker.calls >= self._settings.recycle_calls:
            return True
        return worker.link.grown_bytes > self._settings.recycle_memory_share * (worker.key.memory_mb << 20)

    def _end_unused(self) -> None:
        """End what has been idle for too long, and set the clock for the next."""
        now_s = self._loop.time()
        self._sweep = None
        for worker in list(self._by_age):
            left_s = worker.idle_since_s + self._settings.idle_s - now_s
            if left_s > 0:
                self._sweep = self._loop.call_later(left_s, self._end_unused)
                return
            worker.link.end("unused")

    async def _change(self) -> None:
        """Wait until a worker has come back or gone."""
        changed: asyncio.Future[None] = self._loop.create_future()
        self._queue.append(changed)
        await changed

    def _notify(self) -> None:
        """Wake everybody who waits for a place, in order: which of them it serves depends on tenant and key."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
