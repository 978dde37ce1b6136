"""Keeps one zygote running, and replaces it now and then: its forks share the layout of their memory."""

import asyncio
from collections.abc import Callable

from services.executor.mode import Unavailable
from services.executor.modes.python.settings import PythonSettings
from services.executor.modes.python.worker_link import WorkerLink
from services.executor.modes.python.zygote_link import ZygoteLink


class Zygotes:
    """The running zygote, and those before it whose workers still work. `on_renewal` is told of a replacement."""

    def __init__(self, settings: PythonSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._timeout_s = settings.spawn_timeout_s
        self._starting = asyncio.Lock()
        self._closed = False
        self._all: set[ZygoteLink] = set()
        self._renewal: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed_s = -settings.renewal_gap_s
        self.current: ZygoteLink | None = None
        self.starts = 0
        self.on_renewal: Callable[[], None] | None = None

    async def spawn(self) -> WorkerLink:
        """A fresh worker, from a new zygote if the old one is gone. Raises Unavailable."""
        try:
            return await (await self.running()).spawn(self._timeout_s)
        except Unavailable:
            return await (await self.running()).spawn(self._timeout_s)

    async def running(self) -> ZygoteLink:
        """The zygote, started if need be. Raises Unavailable."""
        async with self._starting:
            if self._closed:
                raise Unavailable("the mode is closed")
            if self.current is None or not self.current.alive:
                self.current = await self._start()
                self._renew_in(self._settings.renewal_s)
            return self.current

    async def close(self) -> None:
        """End every zygote and so every worker."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
        for zygote in list(self._all):
            zygote.kill()
        for zygote in list(self._all):
            await zygote.ended(self._timeout_s)
        if self._renewing is not None:
            await self._renewing

    async def _start(self) -> ZygoteLink:
        zygote = ZygoteLink(self._settings.without)
        self._all = {one for one in self._all if one.alive} | {zygote}
        self.starts += 1
        zygote.on_violation = self._violated
        await zygote.ready(self._timeout_s)
        return zygote

    def _violated(self) -> None:
        """Somebody attacks from inside a worker, and may have learned where things are: move them, soon."""
        self._renew_in(max(0.0, self._renewed_s + self._settings.renewal_gap_s - self._loop.time()))

    def _renew_in(self, delay_s: float) -> None:
        """Set the clock for the next renewal, unless it comes earlier already."""
        due_s = self._loop.time() + delay_s
        if self._renewal is not None and not self._renewal.cancelled():
            if self._loop.time() < self._renewal.when() <= due_s:
                return
            self._renewal.cancel()
        self._renewal = self._loop.call_at(due_s, self._begin_renewal)

    def _begin_renewal(self) -> None:
        if not self._closed and (self._renewing is None or self._renewing.done()):
            self._renewing = self._loop.create_task(self._renew())

    async def _renew(self) -> None:
        """Start another zygote, and only then retire the one that serves."""
        self._renewed_s = self._loop.time()
        try:
            fresh = await self._start()
        except Unavailable:
            fresh = None
        if self._closed:
            return
        if fresh is not None:
            old, self.current = self.current, fresh
            if old is not None and old.alive:
                old.retire()
            if self.on_renewal is not None:
                self.on_renewal()
        self._renew_in(self._settings.renewal_s)
