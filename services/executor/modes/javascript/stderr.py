"""The read end of a worker's standard error."""

import asyncio
import os
from collections.abc import Callable

from services.executor.modes.javascript.lines import FloodError, Lines, Log

_PIECE_BYTES = 64 << 10


class Stderr:
    """Reads what comes and hands it, line by line, to the log of the call that runs. `on_flood` is told of too much."""

    def __init__(self, fd: int, *, on_flood: Callable[[], None]) -> None:
        os.set_blocking(fd, False)
        self._loop = asyncio.get_running_loop()
        self._fd = fd
        self._on_flood = on_flood
        self._lines = Lines()
        self._listens: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        self.log = Log()
        self._loop.add_reader(fd, self._readable)

    async def listens(self) -> None:
        """Wait until the host says that it does; at once when there will be nothing any more."""
        await asyncio.shield(self._listens)

    def drain(self) -> None:
        """Take in all that is there: what was written before an answer came is there when it has come."""
        while not self._closed and self._readable():
            pass

    def close(self) -> None:
        """Take in what is left, and be done."""
        if self._closed:
            return
        self.drain()
        self._stop()

    def _stop(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
        if not self._listens.done():
            self._listens.set_result(None)

    def _readable(self) -> bool:
        try:
            piece = os.read(self._fd, _PIECE_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        if not piece:
            self._stop()
            return False
        try:
            self.log.spend(len(piece))
        except FloodError:
            self._stop()
            self._on_flood()
            return False
        self._take(piece)
        return True

    def _take(self, piece: bytes) -> None:
        for line in self._lines.feed(piece):
            self.log.add(line)
        self.log.flush()
        if self.log.listening and not self._listens.done():
            self._listens.set_result(None)
