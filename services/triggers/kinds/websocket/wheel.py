"""One turn for each of very many, over and over, without a timer for each."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

_SPOKES = 60


class Wheel(Generic[Item]):
    """Gives everything that is on it a turn every `period_s`, the first one in that time."""

    def __init__(self, period_s: float, turn: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
        self._step_s = period_s / _SPOKES
        self._turn = turn
        self._spokes: list[dict[Item, None]] = [{} for _ in range(_SPOKES)]
        self._at = 0

    def add(self, item: Item) -> int:
        """Put it on; the number of its spoke, by which it is taken off."""
        self._spokes[self._at][item] = None
        return self._at

    def remove(self, item: Item, spoke: int) -> None:
        """Take it off. Harmless when it is off."""
        self._spokes[spoke].pop(item, None)

    async def work(self) -> None:
        """Turn, until cancelled. One that is late turns faster, but skips nobody."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._step_s, loop.time() - self._step_s)
            await asyncio.sleep(due - loop.time())
            self._at = (self._at + 1) % _SPOKES
            await self._turn(list(self._spokes[self._at]))
