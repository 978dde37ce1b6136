"""Places for calls that run side by side. Who finds none waits in its function's line, for a bounded time.

Where there is a `share` below 1, a tenant may have so many times the places that are left free: alone it gets up to
its share of all, and the more tenants want some, the less each of them. What is left is for whoever comes next, so that
one whose calls take long does not keep the others waiting. One function may have half as many times what is left, and
leaves as much again to the other functions of its tenant.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from typing import Any, NamedTuple

_FEW = 10  # places: with fewer than that none are kept for other tenants


class Asker(NamedTuple):
    """Whose line it is. `function` is its id, or the slug of one that has none, and that all tenants have."""

    tenant: str
    function: int | str


_Turn = asyncio.Future[bool]


class Slots:
    """`count` places: in each function's line in the order in which they were asked for, the functions in turn.

    At most `line` calls of one function wait; one more is told so at once.
    """

    def __init__(self, count: int, *, share: float = 1.0, line: int = 1 << 30) -> None:
        self._free = count
        self._times_free = share / (1.0 - share) if share < 1 else None
        self._most_in_line = line
        self._keeps_for_tenants = count >= _FEW
        self._of_function: Counter[int | str] = Counter()
        self._of_tenant: Counter[str] = Counter()
        self._lines: OrderedDict[Asker, deque[_Turn]] = OrderedDict()

    async def take(self, of: Asker, *, within_s: float) -> bool:
        """Take a place for the function `of`; False when there was none for it in time, or its line is full."""
        line = self._lines.get(of)
        if line is None and self._may(of):
            self._grant(of)
            return True
        if line is not None and len(line) >= self._most_in_line:
            return False
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        self._lines.setdefault(of, deque()).append(turn)
        timer = loop.call_later(within_s, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give(of)  # it was our turn when we were cancelled: the next one's now
            raise
        finally:
            timer.cancel()
            self._leave(of, turn)

    def give(self, of: Asker) -> None:
        """Give a place back; those in line who may have one now get it."""
        self._free += 1
        _less(self._of_function, of.function)
        _less(self._of_tenant, of.tenant)
        while self._lines and self._free > 0 and self._admit():
            pass

    def retake(self, of: Asker) -> None:
        """Take a place back that was given away for a while, at once, though there may be none: it is owed."""
        self._grant(of)

    def _may(self, of: Asker) -> bool:
        if self._times_free is None or self._free <= 0:
            return self._free > 0
        # Who holds none may have any; who holds some never the last.
        left, times = self._free - 1, self._times_free
        if self._keeps_for_tenants:
            tenant = self._of_tenant.get(of.tenant, 0)
            if tenant and tenant + 1 > times * left:
                return False
            left, times = left - 1, times / 2
        function = self._of_function.get(of.function, 0)
        return not function or function + 1 <= times * left

    def _grant(self, of: Asker) -> None:
        self._free -= 1
        self._of_function[of.function] += 1
        self._of_tenant[of.tenant] += 1

    def _admit(self) -> bool:
        """Let the first in the first line that may have a place have it; its line is the last then."""
        for of, line in self._lines.items():
            if not self._may(of):
                continue
            while line:
                turn = line.popleft()
                if not turn.done():
                    self._grant(of)
                    turn.set_result(True)
                    break
            self._lines.move_to_end(of)
            if not line:
                del self._lines[of]
            return True
        return False

    def _leave(self, of: Asker, turn: _Turn) -> None:
        """Who gave up waits no more; who has its place is out of the line already."""
        line = self._lines.get(of)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._lines[of]

    @staticmethod
    def _give_up(turn: _Turn) -> None:
        if not turn.done():
            turn.set_result(False)


def _less(held: "Counter[Any]", whose: object) -> None:
    held[whose] -= 1
    if not held[whose]:
        del held[whose]
