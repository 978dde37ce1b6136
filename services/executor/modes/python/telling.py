"""The worker's side of lines that are told while the call runs: it never waits for whoever is to take them."""

import os
import socket
from time import monotonic

from services.executor.modes.python import frames
from services.executor.modes.python.exits import BROKEN_EXIT
from services.executor.modes.python.frames import CallFrame, LinesFrame
from shared.domain.line import Line

_LOOK_S = 0.05  # between two looks whether lines are wanted now
_UNSENT_BYTES = 256 << 10  # that wait until the executor takes them; beyond that lines are left out
_NO_DATA = (BlockingIOError, InterruptedError)


class Telling:
    """Of one call. `most_lines` and `most_bytes` are how much is told in any second; the rest is left out.

    What is left out is seen by its numbers.
    """

    __slots__ = ("_bytes", "_data", "_lines", "_looked_at", "_most", "_nonce", "_second", "_unsent", "wanted")

    def __init__(self, data: socket.socket | None, call: CallFrame) -> None:
        self._data = data
        self._nonce = call.nonce
        self.wanted = call.tells and data is not None
        self._most = (call.told_lines, call.told_bytes)
        self._looked_at = monotonic()
        self._second = 0
        self._lines = self._bytes = 0
        self._unsent = bytearray()

    def look(self) -> bool:
        """Whether lines are wanted, looked after now and then."""
        now = monotonic()
        if self._data is not None and now - self._looked_at > _LOOK_S:
            self._looked_at = now
            self._hear(self._data)
        return self.wanted

    def tell(self, line: Line) -> None:
        """Hand a line over, or leave it out where there is no room for it."""
        if not self.wanted or self._data is None or not self._allows(len(line.message)):
            return
        if len(self._unsent) < _UNSENT_BYTES:
            self._unsent += frames.pack(LinesFrame(self._nonce, [line]))
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
        self.wanted = False

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
