"""The worker's side of what a handler asks of the platform during its call: one question, one answer."""

import os
import socket

from services.executor.modes.python import frames
from services.executor.modes.python.exits import BROKEN_EXIT, MEMORY_EXIT
from services.executor.modes.python.frames import AnswerFrame, InvokeFrame, Question
from services.executor.modes.python.telling import Telling


class Ask:
    """Asks over the worker's socket. `most_bytes` bounds the body of a request to another function.

    What `telling` has not sent yet goes first.
    """

    __slots__ = ("_data", "most_bytes", "nonce", "telling")

    def __init__(
        self, data: socket.socket | None, *, nonce: int, most_bytes: int, telling: Telling | None = None
    ) -> None:
        self.telling = telling
        self._data = data
        self.nonce = nonce
        self.most_bytes = most_bytes

    def __call__(self, question: Question) -> AnswerFrame:
        """The answer. Raises RuntimeError with the executor's words when there is none."""
        frame = frames.pack(question)
        if self._data is None:
            raise RuntimeError("nobody can be asked here, or not any more")
        if self.telling is not None and isinstance(question, InvokeFrame):  # it may take longer than there is time
            self.telling.keep()
        answer = _exchange(self._data, frame, self.telling)
        if answer.error:
            raise RuntimeError(answer.error)
        return answer

    def end(self) -> None:
        """The call is over: what it has left behind may run in a later one, and is not to speak in that one's place."""
        self._data = None
        if self.telling is not None:
            self.telling.end()


def _exchange(data: socket.socket, frame: bytes, telling: Telling | None) -> AnswerFrame:
    """Ask and read. What goes wrong half-way ends the worker: what is left in the socket is no request."""
    status = BROKEN_EXIT
    try:
        if telling is not None:
            telling.settle()
        data.sendall(frame)
        payload = frames.read_frame(data)
        while payload and (wanted := frames.wanted(payload)) is not None:
            if telling is not None:
                telling.wanted = wanted
            payload = frames.read_frame(data)
        if payload:
            return frames.parse_answer(payload)
    except MemoryError:
        status = MEMORY_EXIT
    except BaseException:  # noqa: BLE001 - the function may not catch it, and go on
        status = BROKEN_EXIT
    os._exit(status)
