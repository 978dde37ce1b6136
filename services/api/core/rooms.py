"""Room for what takes much memory: how many of it at once, in this process and of one tenant."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.problem import Problem

_AGAIN_S = 1


class Room:
    """`at_once` in all, `of_one` of them for one tenant. `what` names them, as in "URLs are being loaded"."""

    def __init__(self, what: str, *, at_once: int, of_one: int) -> None:
        self._what = what
        self._at_once = at_once
        self._of_one = of_one
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def taken(self, tenant: str) -> Iterator[None]:
        """For a block. Raises Problem(rate_limited) where the tenant has its part, else Problem(unavailable)."""
        if self._under_way[tenant] >= self._of_one:
            message = f"{self._of_one} {self._what} already: wait for one of them"
            raise Problem("rate_limited", message, retry_after_s=_AGAIN_S)
        if self._under_way.total() >= self._at_once:
            raise Problem("unavailable", f"Too many {self._what} just now", retry_after_s=_AGAIN_S)
        self._under_way[tenant] += 1
        try:
            yield
        finally:
            self._under_way[tenant] -= 1
            if not self._under_way[tenant]:
                del self._under_way[tenant]
