"""How long what was put aside should wait: until those before it may have had their turn, as far as one can tell."""

import time

_WINDOW_S = 1.0  # over which ends are counted
_SLOWEST = 10.0  # ends a second, at least, are assumed: a function that ends none is looked at again all the same
_LEAST_S, _MOST_S = 0.25, 30.0


class Backlog:
    """One function's calls that are put aside, as this executor knows of them, and how fast others of it end."""

    def __init__(self) -> None:
        self.aside = 0
        self._since = time.monotonic()
        self._ends = 0
        self._rate = 0.0

    def ended(self) -> None:
        """A call of the function gave back its slot."""
        self._ends += 1

    def wait_s(self) -> float:
        """How long one more should wait."""
        now = time.monotonic()
        passed_s = now - self._since
        if passed_s >= _WINDOW_S:
            self._rate, self._ends, self._since = self._ends / passed_s, 0, now
        rate = max(_SLOWEST, self._rate, self._ends / _WINDOW_S)
        return min(_MOST_S, max(_LEAST_S, self.aside / rate))
