"""How much of an executor's room is taken, by the workers of all its modes: places, and memory."""

import asyncio
from collections import Counter, OrderedDict, deque

from services.executor import machine
from services.executor.pool.bounds import Bounds
from services.executor.pool.worker import Key, Pooled

_SHARE = 0.75  # of the machine's memory; the rest is for the executor and its neighbours


class Places:
    """Workers, all together and by tenant, and their memory. Made once; every mode's pool takes its places here.

    A busy worker counts with the limit of its function, which it may take up at any moment; an idle one with what it
    holds, as it was measured. Where there is no room, the longest unused worker makes some, whatever its mode; after
    those, one that lingers: it has answered its call, and holds no slot that would bound how many do.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._most_bytes = (bounds.memory_mb << 20) or int(machine.memory_bytes() * _SHARE)
        self._by_tenant: Counter[str] = Counter()
        # The idle workers, the one that has waited longest first.
        self._by_age: OrderedDict[Pooled, None] = OrderedDict()
        self._lingering: OrderedDict[Pooled, None] = OrderedDict()
        self._busy_bytes = 0
        self._idle_bytes = 0
        # By workers that live and by those that are being made.
        self.taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, key: Key) -> bool:
        """A place for one more worker, busy, made by ending the longest unused one if there is none."""
        if self._full_for(key.tenant) and not self._evict(tenant=key.tenant):
            return False
        while not self._has_memory(key):
            if not self._cut():
                return False
        if self.taken >= self.bounds.processes and not self._evict() and not self._cut():
            return False
        self._make_room(key)
        self.taken += 1
        self._by_tenant[key.tenant] += 1
        self._busy_bytes += key.memory_mb << 20
        return True

    def free(self, key: Key) -> None:
        """A busy one has gone, or could not be made."""
        self._busy_bytes -= key.memory_mb << 20
        self.taken -= 1
        self._by_tenant[key.tenant] -= 1
        if not self._by_tenant[key.tenant]:
            del self._by_tenant[key.tenant]
        self._notify()

    def rest(self, worker: Pooled) -> None:
        """A busy one is idle, and holds `held_bytes`. It is ended when it stays so for too long."""
        loop = asyncio.get_running_loop()
        self._busy_bytes -= worker.key.memory_mb << 20
        self._idle_bytes += worker.held_bytes
        worker.idle_since_s = loop.time()
        self._by_age[worker] = None
        if self._sweep is None:
            self._sweep = loop.call_later(self.bounds.idle_s, self._end_unused)
        self._notify()

    def may_wake(self, worker: Pooled) -> bool:
        """Whether an idle one may be busy, if need be with others ended for the memory that it may take."""
        if self._fits(worker.key, worker.held_bytes):
            return True
        return self._has_memory(worker.key) and self._make_room(worker.key, worker)

    def wake(self, worker: Pooled) -> None:
        """An idle one is busy."""
        del self._by_age[worker]
        self._idle_bytes -= worker.held_bytes
        self._busy_bytes += worker.key.memory_mb << 20

    def linger(self, worker: Pooled) -> None:
        """A busy one has answered, and goes on with something for a while."""
        self._lingering[worker] = None

    def lingered(self, worker: Pooled) -> None:
        """It does so no more."""
        self._lingering.pop(worker, None)

    def is_crowded(self, tenant: str) -> bool:
        """Whether a tenant has all its places, some of them with workers that linger: who waits holds a slot."""
        return self._full_for(tenant) and any(worker.key.tenant == tenant for worker in self._lingering)

    def is_idle(self, worker: Pooled) -> bool:
        """Whether it waits for a call."""
        return worker in self._by_age

    async def change(self) -> None:
        """Wait until a worker of any mode has come back or gone."""
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(changed)
        await changed

    def _full_for(self, tenant: str) -> bool:
        return self._by_tenant[tenant] >= self.bounds.processes_per_tenant

    def _fits(self, key: Key, held_bytes: int) -> bool:
        """Whether one more may be busy beside all that there are; `held_bytes` are its own, from when it was idle."""
        return self._busy_bytes + self._idle_bytes - held_bytes + (key.memory_mb << 20) <= self._most_bytes

    def _has_memory(self, key: Key) -> bool:
        """Whether one more may be busy, with every idle one gone. What needs more than there is has to run alone."""
        return not self._busy_bytes or self._busy_bytes + (key.memory_mb << 20) <= self._most_bytes

    def _make_room(self, key: Key, worker: Pooled | None = None) -> bool:
        """Memory for one more busy worker, or for this idle one to be busy, made by ending the longest unused."""
        held_bytes = worker.held_bytes if worker is not None else 0
        while self._idle_bytes > held_bytes and not self._fits(key, held_bytes) and self._evict(but=worker):
            pass
        return True

    def _evict(self, *, tenant: str | None = None, but: Pooled | None = None) -> bool:
        for worker in self._by_age:
            if worker is not but and tenant in (None, worker.key.tenant):
                worker.link.end("evicted")
                return True
        return False

    def _cut(self) -> bool:
        """End the one that has lingered longest, of the tenant that has most of these."""
        if not self._lingering:
            return False
        tenants = Counter(worker.key.tenant for worker in self._lingering)
        most, _ = tenants.most_common(1)[0]
        worker = next(worker for worker in self._lingering if worker.key.tenant == most)
        self.lingered(worker)
        worker.link.end("evicted")
        return True

    def _end_unused(self) -> None:
        """End what has been idle for too long, and set the clock for the next."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._sweep = None
        for worker in list(self._by_age):
            left_s = worker.idle_since_s + self.bounds.idle_s - now_s
            if left_s > 0:
                self._sweep = loop.call_later(left_s, self._end_unused)
                return
            worker.link.end("unused")

    def _notify(self) -> None:
        """Wake everybody who waits for a place, in order: which of them it serves depends on tenant and key."""
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
