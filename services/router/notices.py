"""Notices that a lane has work, so that the first call in it does not wait until an executor looks."""

import time

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Queued

_AGAIN_S = 5.0  # far shorter than an executor keeps a lane open in which nothing happens
_MOST = 10_000


class Notices:
    """Says of a lane every few seconds, while work comes, that it has some."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._due: dict[str, float] = {}

    async def queued(self, pool: str, lane: str) -> None:
        """Work is about to be stored in the lane with this subject. A notice that is lost is made good by a look."""
        now = time.monotonic()
        if now < self._due.get(lane, 0.0):
            return
        if len(self._due) >= _MOST:
            self._due.clear()
        self._due[lane] = now + _AGAIN_S
        await self._bus.send(subjects.queued(pool), Queued(lane=lane))
