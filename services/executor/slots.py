"""Places for calls that run side by side; who finds none waits in line, for a bounded time."""

import asyncio
from collections import deque


class Slots:
    """`count` places, given in the order in which they were asked for."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._line: deque[asyncio.Future[bool]] = deque()

    async def take(self, *, within_s: float) -> bool:
        """Take a place; False when none became free in time."""
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line.append(turn)
        timer = loop.call_later(within_s, self._give_up, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give()  # it was our turn when we were cancelled: the next one's now
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        """Give a place back; the first in line has it then."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    @staticmethod
    def _give_up(turn: "asyncio.Future[bool]") -> None:
        if not turn.done():
            turn.set_result(False)
