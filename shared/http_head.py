"""HTTP/1.1 whose request heads are bounded in size and in time, and whose answers do not wait for ever to be taken.

Uvicorn's own protocol leaves all of it open. It also takes what follows a body for part of its head, and loses a body
whose sender offers to speak another protocol.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES = 64 << 10
HEAD_S = 20.0
STALLED_S = 60.0
"""Who takes nothing of what waits for him in so long is cut off: he would keep a place among those who are served."""
# How long a refused sender may go on sending: closed with bytes unread, the kernel would reset the connection, and the
# refusal might never be seen.
_LINGER_S = 1.0

# How long a connection without a request lasts when the server ends: a request may be on its way already, and is
# answered as the last one. Closed at once, its sender would not know whether it was heard.
_LAST_S = 0.25

_REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class BoundedHttp(HttpToolsProtocol):
    """A connection whose sender has `HEAD_S` for a request's head of at most `HEAD_BYTES`; then it is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._idle_bytes = 0  # since the last of a body: of the frame round it, and of lines that follow it
        self._is_offer = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._stalled: asyncio.TimerHandle | None = None
        self._is_last = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_S, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self._goes_on()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: what is under way, or comes within a moment, is answered, and told that it was the last."""
        self._is_last = True
        if self._is_idle():
            self.loop.call_later(_LAST_S, self._end_idle)
        else:
            self.cycle.keep_alive = False

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
        self._idle_bytes += len(data)
        self._unset_keepalive_if_required()
        self._parse(data)
        if not self._in_head:
            if self._head_timer is not None:
                self._stop_waiting()
            if self._idle_bytes > HEAD_BYTES:
                self._refuse(431, f"More than {HEAD_BYTES} bytes came that are no body")
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"The head of the request is longer than {HEAD_BYTES} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S, self._late)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head_bytes, self._idle_bytes, self._is_offer = True, 0, 0, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """What follows a body is no part of the head: nobody has judged it, and nothing bounds it."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; one that came in many small pieces may be too long all the same."""
        self._in_head = False
        if sum(len(name) + len(value) for name, value in self.headers) > HEAD_BYTES:
            self._refuse(431, f"The head of the request is longer than {HEAD_BYTES} bytes")
            return
        is_other = self.parser.should_upgrade() and not self._should_upgrade()
        self._is_offer = is_other and self.parser.get_method() != b"CONNECT"  # that is one by its method alone
        if not self._is_offer:
            super().on_headers_complete()
            if self._is_last and not self._should_upgrade():
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """What follows a refused head is nobody's."""
        self._idle_bytes = 0
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """What follows a refused head is nobody's."""
        if not self._refused and not self._is_offer:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is another protocol's from now on; the parser refers to this, which refers to it."""
        if self._refused:
            return
        super().handle_websocket_upgrade()
        del self.parser

    def _should_upgrade(self) -> bool:
        """To a websocket, and only with a request that can be one: what has a body is a request like others."""
        return bool(super()._should_upgrade() and self.parser.get_method() == b"GET" and not _has_body(self.headers))

    def _parse(self, data: bytes) -> None:
        """As uvicorn does; but a protocol that is offered and not spoken here is passed over, as RFC 9110 has it.

        The parser leaves off at the head that offers one. Another is given that head without the offer, and the rest.
        """
        rest = memoryview(data)
        while not self._refused:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                if not self._is_offer:
                    if self._should_upgrade():
                        self.handle_websocket_upgrade()
                    return
                rest = rest[upgrade.args[0] :]
                head = self._head_without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(head)
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            else:
                return

    def _head_without_offer(self) -> bytes:
        line = b"%s %s HTTP/%s\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        kept = (b"%s: %s\r\n" % one for one in self.headers if one[0] != b"upgrade")
        return line + b"".join(kept) + b"\r\n"

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in JSON, as everything else."""
        self._refuse(400, msg)

    def _end_idle(self) -> None:
        if not self.transport.is_closing() and self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # which uvicorn says is always there
        return cycle is None or cycle.response_complete

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
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:  # who is at work on it is told that it is over
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        body = json.dumps({"error": sentence, "message": sentence, "detail": sentence}).encode()
        head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(head % (status, _REASONS[status], len(body)) + body)
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0") for name, value in headers
    )
