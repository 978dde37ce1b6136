"""How many calls may be under way that have a worker process each, though some of them wait for others.

A call that waits for another one holds no slot, but it keeps its process. Were all processes with calls that wait, what
they wait for could not run. So the first calls of a chain may only have half of the processes, those that they call
some more, and the last ones, which call nobody, all.
"""

from collections import Counter

from services.executor.pool.bounds import Bounds


class InFlight:
    """Calls of all modes of an executor that have worker processes, together and by tenant."""

    def __init__(self, bounds: Bounds, *, slots: int, max_depth: int) -> None:
        self._levels = _levels(bounds.processes, slots=slots, max_depth=max_depth)
        self._levels_of_tenant = _levels(bounds.processes_per_tenant, slots=slots, max_depth=max_depth)
        self._count = 0
        self._by_tenant: Counter[str] = Counter()

    def enter(self, tenant: str, *, depth: int) -> bool:
        """Begin a call, if one of this depth may begin now."""
        level = min(depth, len(self._levels) - 1)
        if self._count >= self._levels[level] or self._by_tenant[tenant] >= self._levels_of_tenant[level]:
            return False
        self._count += 1
        self._by_tenant[tenant] += 1
        return True

    def leave(self, tenant: str) -> None:
        """It has ended."""
        self._count -= 1
        self._by_tenant[tenant] -= 1
        if not self._by_tenant[tenant]:
            del self._by_tenant[tenant]


def _levels(processes: int, *, slots: int, max_depth: int) -> list[int]:
    """How many may be under way when one of each depth begins: every depth has one more at least than that before."""
    first = max(1, min(max(processes // 2, slots), processes - max_depth))
    step = (processes - first) / max_depth if max_depth else 0.0
    return [max(first + depth, int(first + step * depth)) for depth in range(max_depth + 1)]
