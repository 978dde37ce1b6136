"""How much of an executor's room is taken: places of workers, and memory."""

from collections import Counter

from services.executor import machine
from services.executor.modes.python.settings import PythonSettings
from services.executor.modes.python.worker_key import Key

_SHARE = 0.75  # of the machine's memory; the rest is for the executor and its neighbours


class Places:
    """Workers, all together and by tenant, and their memory.

    A busy worker counts with the limit of its function, which it may take up at any moment; an idle one with what it
    holds, as it was measured.
    """

    def __init__(self, settings: PythonSettings) -> None:
        self._settings = settings
        self._most_bytes = (settings.memory_mb << 20) or int(machine.memory_bytes() * _SHARE)
        self._by_tenant: Counter[str] = Counter()
        self._busy_bytes = 0
        self._idle_bytes = 0
        self.taken = 0

    def full(self) -> bool:
        """Whether there is no place for one more worker."""
        return self.taken >= self._settings.max_workers

    def full_for(self, tenant: str) -> bool:
        """Whether a tenant has as many as it may have."""
        return self._by_tenant[tenant] >= self._settings.max_workers_per_tenant

    def fits(self, key: Key, held_bytes: int) -> bool:
        """Whether one more may be busy beside all that there are; `held_bytes` are its own, from when it was idle."""
        return self._busy_bytes + self._idle_bytes - held_bytes + (key.memory_mb << 20) <= self._most_bytes

    def has_memory(self, key: Key) -> bool:
        """Whether one more may be busy, with every idle one gone. What needs more than there is has to run alone."""
        return not self._busy_bytes or self._busy_bytes + (key.memory_mb << 20) <= self._most_bytes

    def crowded(self, key: Key, held_bytes: int) -> bool:
        """Whether other idle workers hold what one more busy one needs."""
        return self._idle_bytes > held_bytes and not self.fits(key, held_bytes)

    def take(self, key: Key) -> None:
        """One more, for a call."""
        self.taken += 1
        self._by_tenant[key.tenant] += 1
        self._busy_bytes += key.memory_mb << 20

    def rest(self, key: Key, held_bytes: int) -> None:
        """A busy one is idle."""
        self._busy_bytes -= key.memory_mb << 20
        self._idle_bytes += held_bytes

    def wake(self, key: Key, held_bytes: int) -> None:
        """An idle one is busy."""
        self._idle_bytes -= held_bytes
        self._busy_bytes += key.memory_mb << 20

    def free(self, key: Key) -> None:
        """A busy one has gone."""
        self._busy_bytes -= key.memory_mb << 20
        self.taken -= 1
        self._by_tenant[key.tenant] -= 1
        if not self._by_tenant[key.tenant]:
            del self._by_tenant[key.tenant]
