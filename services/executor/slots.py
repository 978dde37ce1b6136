"""Places for calls that run side by side. Who finds none waits in its function's line, for a bounded time.

Where there is a `share` below 1, a function may have so many times the places that are left free: alone it gets up to
its share of all, and the more functions want some, the less each of them. What is left is for whoever comes next, so
that one whose calls take long does not keep the others waiting.
"""

import asyncio
from collections import Counter, OrderedDict, deque

Asker = int | str
"""Whose line it is: a function's id, or the slug of one that has none."""

_Turn = asyncio.Future[bool]


class Slots:
    """`count` places: in each function's line in the order in which they were asked for, the functions in turn.

    At most `line` calls of one function wait; one more is told so at once.
    """

    def __init__(self, count: int, *, share: float = 1.0, line: int = 1 << 30) -> None:
        self._free = count
        self._times_free = share / (1.0 - share) if share < 1 else None
        self._most_in_line = line
        self._held: Counter[Asker] = Counter()
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
        self._held[of] -= 1
        if not self._held[of]:
            del self._held[of]
        while self._lines and self._free and self._admit():
            pass

    def _may(self, of: Asker) -> bool:
        # One that holds none may have any; one that holds some never the last.
        held = self._held.get(of, 0)
        if not held or self._times_free is None:
            return self._free > 0
        return held + 1 <= self._times_free * (self._free - 1)

    def _grant(self, of: Asker) -> None:
        self._free -= 1
        self._held[of] += 1

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
