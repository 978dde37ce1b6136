"""Places for calls that run side by side. Who finds none waits in its function's line, for a bounded time.

The tenant that has the fewest calls running is the next to have a place, and of its functions each in turn. A tenant
may have all places while no other has asked for any of late; else it leaves as many to the others as it may have. One
that has none need not wait for calls that take long: a few places more are there for such as have none.

Where there is a `share` below 1, a tenant may have so many times the places that are left free: alone it gets up to
its share of all, and the more tenants want some, the less each of them. What is left is for whoever comes next, so that
one whose calls take long does not keep the others waiting. One function may have half as many times what is left, and
leaves as much again to the other functions of its tenant.
"""

import asyncio
import time
from collections import Counter, OrderedDict, deque
from typing import Any, NamedTuple

_FEW = 10  # places: with fewer than that none are kept for other tenants
_OF_LATE_S = 1.0  # who has asked so recently may ask again


class Asker(NamedTuple):
    """Whose line it is. `function` is its id, or the slug of one that has none, and that all tenants have."""

    tenant: str
    function: int | str


_Turn = asyncio.Future[bool]


class Slots:
    """`count` places: in each function's line in the order in which they were asked for.

    At most `line` calls of one function wait; one more is told so at once.
    """

    def __init__(self, count: int, *, share: float = 1.0, line: int = 1 << 30) -> None:
        self._free = count
        self._times_free = share / (1.0 - share) if share < 1 else None
        self._spare = max(1, count // 4) if share == 1 else 0  # beyond `count`, for tenants that have none
        self._most_beside_others = max(1, count // 2)
        self._most_in_line = line
        self._keeps_for_tenants = count >= _FEW
        self._of_function: Counter[int | str] = Counter()
        self._of_tenant: Counter[str] = Counter()
        self._asked_at: OrderedDict[str, float] = OrderedDict()  # by tenant, the latest last
        self._lines: OrderedDict[str, OrderedDict[Asker, deque[_Turn]]] = OrderedDict()  # by tenant
        self._closed = False
        self._again: asyncio.TimerHandle | None = None  # when those in line may have what was kept for others

    async def take(self, of: Asker, *, within_s: float) -> bool:
        """Take a place for the function `of`; False when there was none for it in time, or its line is full."""
        if self._closed:
            return False
        if self._times_free is None:
            self._note(of.tenant)
        lines = self._lines.get(of.tenant)
        line = lines.get(of) if lines else None
        if line is None and self._may(of):
            self._grant(of)
            return True
        if line is not None and len(line) >= self._most_in_line:
            return False
        loop = asyncio.get_running_loop()
        turn: _Turn = loop.create_future()
        self._lines.setdefault(of.tenant, OrderedDict()).setdefault(of, deque()).append(turn)
        if self._free > 0 and self._again is None:
            self._again = loop.call_later(_OF_LATE_S, self._look_again)
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

    def close(self) -> None:
        """Give no place any more: those in line are told so at once."""
        self._closed = True
        for lines in self._lines.values():
            for line in lines.values():
                for turn in line:
                    self._give_up(turn)

    def give(self, of: Asker) -> None:
        """Give a place back; those in line who may have one now get it."""
        self._free += 1
        _less(self._of_function, of.function)
        _less(self._of_tenant, of.tenant)
        self._admit_all()

    def retake(self, of: Asker) -> None:
        """Take a place back that was given away for a while, at once, though there may be none: it is owed."""
        self._grant(of)

    def _may(self, of: Asker) -> bool:
        if self._times_free is None:
            return self._may_have_equal(of.tenant)
        if self._free <= 0:
            return False
        # Who holds none may have any; who holds some never the last.
        left, times = self._free - 1, self._times_free
        if self._keeps_for_tenants:
            tenant = self._of_tenant.get(of.tenant, 0)
            if tenant and tenant + 1 > times * left:
                return False
            left, times = left - 1, times / 2
        function = self._of_function.get(of.function, 0)
        return not function or function + 1 <= times * left

    def _may_have_equal(self, tenant: str) -> bool:
        held = self._of_tenant.get(tenant, 0)
        if not held:
            return self._free > -self._spare
        return self._free > 0 and (held < self._most_beside_others or self._is_alone(tenant))

    def _note(self, tenant: str) -> None:
        """It has asked now; who has not of late is forgotten."""
        now = time.monotonic()
        self._asked_at[tenant] = now
        self._asked_at.move_to_end(tenant)
        self._forget_before(now - _OF_LATE_S)

    def _is_alone(self, tenant: str) -> bool:
        self._forget_before(time.monotonic() - _OF_LATE_S)
        return not self._asked_at or (len(self._asked_at) == 1 and tenant in self._asked_at)

    def _forget_before(self, moment: float) -> None:
        while self._asked_at and next(iter(self._asked_at.values())) < moment:
            self._asked_at.popitem(last=False)

    def _grant(self, of: Asker) -> None:
        self._free -= 1
        self._of_function[of.function] += 1
        self._of_tenant[of.tenant] += 1

    def _admit_all(self) -> None:
        while self._lines and self._free > -self._spare and self._admit():
            pass

    def _look_again(self) -> None:
        self._again = None
        self._admit_all()
        if self._lines and self._free > 0:
            self._again = asyncio.get_running_loop().call_later(_OF_LATE_S, self._look_again)

    def _admit(self) -> bool:
        """Let the first in the first line that may have a place have it; its line is the last then."""
        for tenant in sorted(self._lines, key=self._held):
            lines = self._lines[tenant]
            of = next((of for of in lines if self._may(of)), None)
            if of is None:
                continue
            line = lines[of]
            while line:
                turn = line.popleft()
                if not turn.done():
                    self._grant(of)
                    turn.set_result(True)
                    break
            lines.move_to_end(of)
            self._lines.move_to_end(tenant)
            self._forget(of, line)
            return True
        return False

    def _held(self, tenant: str) -> int:
        return self._of_tenant.get(tenant, 0)

    def _leave(self, of: Asker, turn: _Turn) -> None:
        """Who gave up waits no more; who has its place is out of the line already."""
        lines = self._lines.get(of.tenant)
        line = lines.get(of) if lines else None
        if line is not None and turn in line:
            line.remove(turn)
            self._forget(of, line)

    def _forget(self, of: Asker, line: "deque[_Turn]") -> None:
        """A line in which nobody waits is none."""
        if not line:
            lines = self._lines[of.tenant]
            del lines[of]
            if not lines:
                del self._lines[of.tenant]

    @staticmethod
    def _give_up(turn: _Turn) -> None:
        if not turn.done():
            turn.set_result(False)


def _less(held: "Counter[Any]", whose: object) -> None:
    held[whose] -= 1
    if not held[whose]:
        del held[whose]
