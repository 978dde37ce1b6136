"""The worker's side of lines that are sent while the call runs: it never waits for whoever is to take them."""

import os
import socket
from collections.abc import Callable
from time import monotonic

from services.executor.modes.python import frames
from services.executor.modes.python.exits import BROKEN_EXIT
from services.executor.modes.python.frames import CallFrame, KeptFrame, LinesFrame
from shared.domain.line import Line

_LOOK_S = 0.05  # between two looks whether lines are wanted now; for so long a call keeps its lines to itself
_UNSENT_BYTES = 256 << 10  # that wait until the executor takes them; beyond that lines are left out
_NO_DATA = (BlockingIOError, InterruptedError)


class Telling:
    """Of one call. `most_lines` and `most_bytes` are how much is told in any second; the rest is left out.

    What is left out is seen by its numbers. Beside that, what is to stay of a call that is cut is sent now and then:
    `fresh` gives what was not sent yet, and `due` is set when it is time.
    """

    __slots__ = (
        "_bytes",
        "_data",
        "_lines",
        "_looked_at",
        "_most",
        "_nonce",
        "_second",
        "_unsent",
        "due",
        "fresh",
        "wanted",
    )

    def __init__(self, data: socket.socket | None, call: CallFrame) -> None:
        self._data = data
        self._nonce = call.nonce
        self.wanted = call.tells and data is not None
        self._most = (call.told_lines, call.told_bytes)
        self._looked_at = monotonic()
        self._second = 0
        self._lines = self._bytes = 0
        self._unsent = bytearray()
        self.due = False
        self.fresh: Callable[[int], KeptFrame | None] | None = None

    def look(self) -> bool:
        """Whether lines are wanted, looked after now and then."""
        now = monotonic()
        if self._data is not None and now - self._looked_at > _LOOK_S:
            self._looked_at = now
            self.due = True
            self._hear(self._data)
        return self.wanted

    def tell(self, line: Line) -> None:
        """Hand a line over, or leave it out where there is no room for it."""
        if not self.wanted or self._data is None or not self._allows(len(line.message)):
            return
        if len(self._unsent) < _UNSENT_BYTES:
            self._unsent += frames.pack(LinesFrame(self._nonce, [line]))
        self._send(self._data)

    def keep(self) -> None:
        """Send what is to stay of the call, whatever becomes of it; later, where too much is on its way already."""
        if self._data is None or self.fresh is None:
            return
        if len(self._unsent) < _UNSENT_BYTES:
            self.due = False
            try:
                frame = self.fresh(self._nonce)
                self._unsent += b"" if frame is None else frames.pack(frame)
            except MemoryError:
                self.fresh = None  # there would be a hole in what is kept, and nobody would know
                raise
        if self._unsent:
            self._send(self._data)

    def settle(self) -> None:
        """Send what is left, before anything else is sent."""
        if self._unsent and self._data is not None:
            self._data.sendall(self._unsent)
            self._unsent.clear()

    def rest(self) -> bytes:
        """What is left at the end, to be sent before the reply."""
        return bytes(self._unsent)

    def end(self) -> None:
        """The call is over: what it has left behind is not to speak in a later one."""
        self._data = None
        self.wanted = self.due = False
        self.fresh = None

    def _allows(self, size: int) -> bool:
        second = int(monotonic())
        if second != self._second:
            self._second, self._lines, self._bytes = second, 0, 0
        self._lines += 1
        self._bytes += size
        return self._lines <= self._most[0] and self._bytes <= self._most[1]

    def _send(self, data: socket.socket) -> None:
        try:
            sent = data.send(self._unsent, socket.MSG_DONTWAIT)
        except _NO_DATA:
            return
        except OSError:
            os._exit(BROKEN_EXIT)  # the executor is gone, and the function may not catch it
        del self._unsent[:sent]

    def _hear(self, data: socket.socket) -> None:
        """While a call runs, and has asked nothing, the executor says only whether lines are wanted."""
        try:
            if data.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK):
                wanted = frames.wanted(frames.read_frame(data) or b"")
                self.wanted = self.wanted if wanted is None else wanted
        except _NO_DATA:
            return
        except OSError:
            os._exit(BROKEN_EXIT)
