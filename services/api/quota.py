"""How much of a number of requests a minute is spent, counted by all replicas of the API together.

A replica takes a few requests at a time from the counter on the bus and spends them by itself, so that most requests
ask nobody. With the bus away each replica counts for itself.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from shared import telemetry
from shared.bus import subjects
from shared.domain.problem import Problem
from shared.domain.rates import WINDOW_S

_PARTS = 50  # a limit is taken in so many parts: what another replica has taken and not spent is a part at most
_BUS_WAIT_S = 0.25
_ALONE_S = 1.0  # how long the bus is left in peace after it did not answer
_log = telemetry.logger("rates")


class Counters(Protocol):
    """What all replicas count with: `shared.bus.counters`."""

    async def add(self, subject: str, amount: int, *, timeout_s: float) -> int:
        """Add to a counter; what it has come to. Raises Problem(unavailable)."""


class Count:
    """One number of requests, as far as it is known here.

    `total` is what all replicas have taken in this window when the counter was last asked, `left` what of it may still
    be spent here, and `owed` what was taken here without the counter.
    """

    __slots__ = ("left", "name", "owed", "taken", "total", "waiting", "window")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting = 0
        self.taken: asyncio.Event | None = None
        self.begin(-1)

    def begin(self, window: int) -> None:
        """Nothing is spent in a new window."""
        self.window = window
        self.total = self.left = self.owed = 0

    def remaining(self, limit: int) -> int:
        """How many requests there are left of `limit`, as far as it is known here."""
        return max(0, limit - self.total + self.left)


class Quota:
    """All counts, of which the `most` last used are kept in memory. `clock` tells Unix seconds."""

    def __init__(self, counters: Counters, *, most: int, clock: Callable[[], float] = time.time) -> None:
        self._counters = counters
        self._most = most
        self._clock = clock
        self._counts: OrderedDict[str, Count] = OrderedDict()
        self._alone_until = 0.0
        self._alone = False

    def __len__(self) -> int:
        return len(self._counts)

    def window(self) -> int:
        """The number of the window of time that it is now."""
        return int(self._clock() // WINDOW_S)

    def left_s(self) -> int:
        """Whole seconds until the window has ended, at least 1."""
        return WINDOW_S - int(self._clock() % WINDOW_S)

    def look(self, name: str) -> Count:
        """A count as it is known here, without a wait."""
        count = self._counts.get(name)
        if count is None:
            count = self._counts[name] = Count(name)
            if len(self._counts) > self._most:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(name)
        window = self.window()
        if count.window != window:
            count.begin(window)
        return count

    def spend_here(self, name: str) -> Count | None:
        """Count one request of those that were taken before, without a wait; None when there are none."""
        count = self.look(name)
        if not count.left:
            return None
        count.left -= 1
        return count

    async def spend(self, name: str, limit: int) -> Count | None:
        """Count one request; None when `limit` of them have been in this window."""
        count = self.look(name)
        while not count.left:
            if count.total >= limit:
                return None
            if count.taken is None:
                await self._take(count, limit)
            else:
                await self._wait(count)
            if count.window != (window := self.window()):
                count.begin(window)
        count.left -= 1
        return count

    def give_back(self, count: Count) -> None:
        """The request was not let in, for another reason."""
        if count.window == self.window():
            count.left += 1

    async def _wait(self, count: Count) -> None:
        """One asks for all: whoever comes meanwhile waits for its answer."""
        assert count.taken is not None
        count.waiting += 1
        try:
            await count.taken.wait()
        finally:
            count.waiting -= 1

    async def _take(self, count: Count, limit: int) -> None:
        count.taken = asyncio.Event()
        try:
            least = max(limit // _PARTS, 1 + count.waiting)
            amount = max(1, min(least, limit - count.total))
            window, owed = count.window, count.owed
            total = await self._add(count, amount + owed)
            if count.window != window:
                return
            count.owed = 0 if total is not None else owed + amount
            total = max(total or 0, count.total + amount)  # a counter that was lost begins at 0, and we know better
            count.left += max(0, min(amount, limit - (total - amount)))
            count.total = min(total, limit)
        finally:
            count.taken.set()
            count.taken = None

    async def _add(self, count: Count, amount: int) -> int | None:
        """What all have taken, with `amount` more; None when the bus does not say."""
        if time.monotonic() < self._alone_until:
            return None
        subject = subjects.rate(count.window, _hashed(count.name))
        try:
            total = await self._counters.add(subject, amount, timeout_s=_BUS_WAIT_S)
        except Problem as problem:
            self._alone_until = time.monotonic() + _ALONE_S
            if not self._alone:
                _log.warning("counting alone", reason=problem.message)
            self._alone = True
            return None
        self._alone = False
        return total


def _hashed(name: str) -> str:
    """A name as a token of a subject: it may hold an address or what a stranger typed."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
