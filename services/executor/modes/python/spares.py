"""Workers that are forked and locked down, and wait for somebody's code: a cold start need not wait for a fork."""

import asyncio
from collections import deque
from contextlib import suppress

from services.executor.mode import Unavailable
from services.executor.modes.python.worker_link import WorkerLink
from services.executor.modes.python.zygotes import Zygotes

_QUIET_S = 10.0  # without anybody finding none left, after which one fewer is kept
_PAUSE_S = 0.01


class Spares:
    """Between `least` and `most` workers without a function, from the first use: one more whenever there was none."""

    def __init__(self, zygotes: Zygotes, *, least: int, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._zygotes = zygotes
        self._least = least
        self._most = most
        self._kept = least
        self._missed_s = self._loop.time()
        self._asked = False  # an executor that nobody has asked for Python yet keeps none
        self._ready: deque[WorkerLink] = deque()
        self._filling: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._ready)

    async def take(self) -> WorkerLink:
        """A fresh worker, at once if there is a spare. Raises Unavailable."""
        link = self._pop()
        self._adapt(missed=link is None and self._asked)
        self._asked = True
        if link is None:
            link = await self._zygotes.spawn()
        # Whoever took it has a call to make: the fork of the next one need not compete with it for a processor.
        self._loop.call_later(_PAUSE_S if self._ready else 0.0, self.refill)
        return link

    def refill(self) -> None:
        """See to it that there are as many as wanted, in the background."""
        if len(self._ready) < self._kept and (self._filling is None or self._filling.done()):
            self._filling = self._loop.create_task(self._fill())

    def retire(self) -> None:
        """Replace those whose zygote has been replaced."""
        for link in list(self._ready):
            if link.retired:
                link.end("unused")
        if self._asked:
            self.refill()

    async def close(self) -> None:
        """End them all."""
        self._kept = 0
        if self._filling is not None:
            self._filling.cancel()
            with suppress(asyncio.CancelledError):
                await self._filling
        for link in list(self._ready):
            link.end("closed")

    def _pop(self) -> WorkerLink | None:
        if not self._ready:
            return None
        link = self._ready.popleft()
        link.on_end = None
        link.spare = True
        return link

    def _adapt(self, *, missed: bool) -> None:
        now_s = self._loop.time()
        if missed:
            self._kept = min(self._kept + 1, self._most)
            self._missed_s = now_s
        elif now_s - self._missed_s > _QUIET_S:
            self._kept = max(self._kept - 1, self._least)
            self._missed_s = now_s

    async def _fill(self) -> None:
        """One at a time, so that somebody who needs a worker now does not stand in line behind many."""
        while len(self._ready) < self._kept:
            try:
                link = await self._zygotes.spawn()
            except Unavailable:
                return  # whoever needs one asks again, and is told why
            if not link.alive:
                return  # it cannot even wait: its first user finds out
            # One that dies is not replaced before somebody takes the next: no endless forking.
            link.on_end = self._ready.remove
            self._ready.append(link)
