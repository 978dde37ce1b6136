"""Keep one child running: when it ends on its own it is started again, more patiently each time."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from shared import log_lines
from shared.embedded import EmbeddedError

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
SETTLED_S = 30.0
"""A child that lived this long is started again at once, as the first time."""
SLOW_START_S = 15.0
_log = log_lines.logger("supervisor")


class Child(Protocol):
    """A service, or one of the two servers."""

    name: str

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""

    async def start(self) -> None:
        """Start it."""

    async def wait(self) -> int:
        """The exit code, when it has ended."""

    async def stop(self, *, within_s: float) -> int:
        """SIGTERM, and SIGKILL when the time is up; the exit code."""


class Keeper:
    """`task` ends only with an error that starting again would not help; `changed` is called for every new process.

    The first start waits for `after`.
    """

    def __init__(
        self, child: Child, *, changed: Callable[[], None], after: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.child = child
        self.started = asyncio.Event()
        self._changed = changed
        self._after = after
        self._renewed: asyncio.Event | None = None
        self.task = asyncio.create_task(self._keep(), name=child.name)

    async def stop(self, *, within_s: float) -> None:
        """End the child for good."""
        self.task.cancel()
        pid = self.child.pid
        code = await self.child.stop(within_s=within_s)
        if pid and code == -signal.SIGKILL:
            _log.warning("a child was killed", child=self.child.name, pid=pid, within_s=round(within_s, 1))
        await asyncio.gather(self.task, return_exceptions=True)

    async def renew(self, *, within_s: float) -> None:
        """End the child in order and start it anew at once; returns when the new one was started."""
        self._renewed = renewed = asyncio.Event()
        pid = self.child.pid
        if await self.child.stop(within_s=within_s) == -signal.SIGKILL:
            _log.warning("a child was killed", child=self.child.name, pid=pid, within_s=round(within_s, 1))
        await renewed.wait()

    async def _keep(self) -> None:
        if self._after:
            await self._after()
        await self._start()  # the first time, what goes wrong is for the user to hear
        self.started.set()
        pause_s = FIRST_PAUSE_S
        while True:
            since = time.monotonic()
            self._changed()
            pid = self.child.pid
            why = _ending(await self.child.wait())
            if self._renewed is not None:
                pause_s = 0.0
            elif time.monotonic() - since >= SETTLED_S:
                pause_s = FIRST_PAUSE_S
            pause_s = await self._start_again(why, pid, pause_s)
            if self._renewed is not None:
                self._renewed.set()
                self._renewed = None

    async def _start_again(self, why: str, pid: int | None, pause_s: float) -> float:
        """Until it starts; the pause for the next time."""
        while True:
            (_log.warning if self._renewed is None else _log.info)(
                "a child is started again", child=self.child.name, pid=pid, why=why, pause_s=pause_s
            )
            await asyncio.sleep(pause_s)
            pause_s = min(max(pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            try:
                await self._start()
            except EmbeddedError as error:
                why, pid = f"did not start ({error})", None
            else:
                return pause_s

    async def _start(self) -> None:
        """Raises EmbeddedError, also when the machine has no process, no memory or no disk left to give."""
        notice = asyncio.create_task(self._say_that_it_takes_long())
        try:
            await self.child.start()
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"{self.child.name} cannot be started: {error}") from None
        finally:
            notice.cancel()

    async def _say_that_it_takes_long(self) -> None:
        while True:
            await asyncio.sleep(SLOW_START_S)
            _log.warning("a child starts slowly", child=self.child.name)


def _ending(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
