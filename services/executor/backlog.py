"""How long what was put aside should wait: until those before it may have had their turn, as far as one can tell."""

import heapq
import time
from collections.abc import Callable

_WINDOW_S = 1.0  # over which ends are counted
_SLOWEST = 10.0  # ends a second, at least, are assumed: a function that ends none is looked at again all the same
_LEAST_S, _MOST_S = 0.25, 30.0


class Backlog:
    """One function's calls that this executor has put aside, and how fast others of it end.

    One that has come due is not counted any more, whichever executor got it: they do not tell each other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: list[float] = []  # a heap
        self._since = clock()
        self._ends = 0
        self._rate = 0.0

    def __len__(self) -> int:
        """How many wait."""
        now = self._clock()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        return len(self._due)

    def ended(self) -> None:
        """A call of the function gave back its slot."""
        self._ends += 1

    def put_aside(self, *, jitter: float) -> float:
        """One more waits; for how long, in seconds. `jitter`, up to 1, is the part of its time that it really waits."""
        now = self._clock()
        passed_s = now - self._since
        if passed_s >= _WINDOW_S:
            self._rate, self._ends, self._since = self._ends / passed_s, 0, now
        rate = max(_SLOWEST, self._rate, self._ends / _WINDOW_S)
        wait_s = jitter * min(_MOST_S, max(_LEAST_S, (1 + len(self)) / rate))
        heapq.heappush(self._due, now + wait_s)
        return wait_s
