"""HTTP/1.1 whose request heads are bounded in size and in time, and whose answers do not wait for ever to be taken.

Uvicorn's own protocol leaves all of it open.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10
HEAD_S = 20.0
STALLED_S = 60.0
"""Who takes nothing of what waits for him in so long is cut off: he would keep a place among those who are served."""
# How long a refused sender may go on sending: closed with bytes unread, the kernel would reset the connection, and the
# refusal might never be seen.
_LINGER_S = 1.0

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class BoundedHttp(HttpToolsProtocol):
    """A connection whose sender has `HEAD_S` for a request's head of at most `HEAD_BYTES`; then it is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._goes_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """As much waits to be taken as may."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Most of it was taken."""
        self._goes_on()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Parse, and look at what is still head afterwards: a head that comes in one piece costs nothing more."""
        if self._refused:
            return
        super().data_received(data)
        if not self._in_head:
            if self._head_timer is not None:
                self._stop_waiting()
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"The head of the request is longer than {HEAD_BYTES} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._late)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; one that came in many small pieces may be too long all the same."""
        self._in_head = False
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse(431, f"The head of the request is longer than {HEAD_BYTES} bytes")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What follows a refused head is nobody's."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """What follows a refused head is nobody's."""
        if not self._refused:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is another protocol's from now on; the parser refers to this, which refers to it."""
        super().handle_websocket_upgrade()
        del self.parser

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in JSON, as everything else."""
        self._refuse(400, msg)

    def _late(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self._refuse(408, f"The head of the request did not arrive within {HEAD_S:g} s")

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _goes_on(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _refuse(self, status: int, sentence: str) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_waiting()
        body = json.dumps({"error": sentence, "message": sentence, "detail": sentence}).encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, _REASONS[status], len(body)) + body)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)
