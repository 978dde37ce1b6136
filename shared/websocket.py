"""Websockets over uvicorn, without a task for each: its protocol does the handshake, a `Line` all that comes after it.

Uvicorn's own keeps a task, a queue and two timers for every socket, queues whatever comes in one piece, answers pings
that nobody takes, and waits for ever for a peer that does not read.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Wire
from websockets.server import ServerProtocol

TAKE = "shoal.take"
"""The ASGI extension by which an application takes a socket that it has accepted: a `Take`."""

NORMAL, NO_TEXT, NO_UTF8, POLICY, FAULT, RESTART, LATER = 1000, 1003, 1007, 1008, 1011, 1012, 1013
"""Close codes of RFC 6455 and its registry; 1002 and 1009 are the parser's own."""

STALLED_S = 60.0
"""Who takes nothing of what waits for him in so long is cut off."""
_CLOSING_S = 5.0  # how long a peer may take to answer a close
_LINGER_S = 1.0  # how long one that broke the protocol may go on sending: else a reset overtakes the close frame
_UNTAKEN_BYTES = 4096  # of a message to a socket that nobody takes over: it is not read
_PIECE_BYTES = 2048  # parsed at once: it bounds how many frames a taker is given that has said `hold`
_NOTHING = memoryview(b"")
_NOTE_BYTES = 120  # of a close reason, which may have 123
_SENTENCE = b'{"error":"A handshake has up to 128 lines of up to 8192 bytes each"}'
_REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_SENTENCE), _SENTENCE)
)
_PING = Frame(Opcode.PING, b"beat").serialize(mask=False, extensions=[])


class Taker(Protocol):
    """Who takes what a socket says. Called by the event loop: nothing here waits."""

    def heard(self, text: str) -> None:
        """One whole message."""

    def drained(self) -> None:
        """The peer has taken most of what waited for it, after there was more than the transport likes."""

    def lost(self) -> None:
        """The socket is gone: the last that is heard of it."""

    def leave(self) -> None:
        """The server stops: `Line.end` is to follow soon."""


class _Nobody:
    """Takes nothing."""

    def heard(self, text: str) -> None:
        """Nobody listens."""

    def drained(self) -> None:
        """Nobody waits."""

    def lost(self) -> None:
        """It was lost before."""

    def leave(self) -> None:
        """Nobody is there to leave."""


_NOBODY = _Nobody()

Take = Callable[[Taker, int], "Line"]
"""Take the socket over, which may say messages of at most so many bytes."""


def text_frame(text: str) -> bytes:
    """A message as it goes over the wire: the same for all who get it."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False, extensions=[])


class Handshake(WebSocketsSansIOProtocol):
    """The opening of a socket, and the whole of one that nobody takes over. It offers no compression.

    What is compressed may be a thousand times as long, and each socket would keep a window for it. Frames may come when
    the opening was answered: what is sent before that is kept by nobody.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = ServerProtocol(extensions=[], max_size=_UNTAKEN_BYTES, logger=self.logger)
        self._refused = False
        self._hasty = False  # something came before the opening was answered

    def data_received(self, data: bytes) -> None:
        """The head, and what follows the answer to it."""
        if self._refused:
            return
        if self.handshake_initiated and not self.handshake_complete:
            self._hasty = True
            return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._refuse()  # uvicorn waits for ever for a head that the parser does not take

    def handle_connect(self, event: Any) -> None:
        """Offer the extension."""
        super().handle_connect(event)
        if self.handshake_initiated and self.response.status_code == 101:  # noqa: PLR2004 - switching protocols
            extensions: dict[Any, Any] = self.scope["extensions"] or {}
            extensions[TAKE] = self._take
            self.scope["extensions"] = extensions

    async def run_asgi(self) -> None:
        """As uvicorn has it, but for a socket that was taken: that one goes on without the application."""
        try:
            await super().run_asgi()
        finally:
            self.scope = None  # type: ignore[assignment]  # it refers to this, which refers to it

    def _take(self, taker: Taker, most_bytes: int) -> "Line":
        self.stop_keepalive()
        line = Line(self.transport, taker, self.connections, most_bytes=most_bytes)
        self.connections.discard(self)
        self.conn.parser.close()  # it refers to its owner, which refers to it
        self.transport.set_protocol(line)
        self.transport = _Elsewhere()  # the application's end is not the socket's
        if self._hasty:
            line.end(POLICY, "Frames came before the handshake had ended")
        return line

    def _refuse(self) -> None:
        self._refused = True
        self.handshake_complete = True
        self.transport.write(_REFUSAL)
        self.transport.close()


class _Elsewhere(asyncio.Transport):
    """What the handshake is left with when its socket is taken."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        return None


class Line(asyncio.Protocol):
    """An open socket. What it is told to send goes at once or waits in the transport: see `backlog`.

    It is read while its taker takes and its peer does.
    """

    __slots__ = (
        "_alive",
        "_all",
        "_choked",
        "_ended",
        "_held",
        "_message",
        "_paused",
        "_taker",
        "_timer",
        "_transport",
        "_unread",
        "_wire",
    )

    def __init__(self, transport: asyncio.Transport, taker: Taker, all_lines: set[Any], *, most_bytes: int) -> None:
        self._transport = transport
        self._taker = taker
        self._all = all_lines  # those whose end the server waits for
        self._all.add(self)
        self._wire = Wire(SERVER, max_size=most_bytes)
        self._message: bytearray | None = None  # of a message in fragments, those that have come
        self._unread = _NOTHING
        self._held = False  # the taker takes no more for now
        self._choked = False  # the peer takes no more for now
        self._paused = False  # nothing is read, for one reason or the other
        self._ended = False  # nothing is to be said or heard any more
        self._alive = True  # whether anything has come since the last ping
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether something sent now may arrive."""
        return not self._ended and self._wire.state is OPEN and not self._transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes that wait for the peer to take them."""
        return self._transport.get_write_buffer_size()

    @property
    def is_choked(self) -> bool:
        """Whether more waits for the peer than the transport likes: `Taker.drained` says when that is over."""
        return self._choked

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all has come since the last ping, though it was read."""
        return not self._alive and not self._paused

    def send(self, framed: bytes) -> None:
        """Send what `text_frame` has made; one that is closing is sent nothing."""
        if self.is_open:
            self._transport.write(framed)

    def ping(self, before: bytes = b"") -> None:
        """Ask the peer for a sign of life, after a frame."""
        self._alive = False
        self.send(before + _PING)

    def hold(self) -> None:
        """Read no further, for now."""
        self._held = True
        self._pause()

    def go_on(self) -> None:
        """Read on."""
        if self._held:
            self._held = False
            self._read()

    def end(self, code: int, reason: str = "") -> None:
        """Close it, with a word; a peer that does not answer is cut off."""
        if self.is_open:
            self._wire.send_close(code, _short(reason))
            self._flush()
            self._over(_CLOSING_S)
            self._read()

    def cut(self) -> None:
        """Close it without a word: nobody is there to hear one."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes, as they come."""
        self._alive = True
        self._unread = memoryview(bytes(self._unread) + data if self._unread else data)
        self._read()

    def eof_received(self) -> None:
        """The peer says no more, not even a close: the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._ended = True
        self._unread = _NOTHING
        self._stop_waiting()
        self._wire.parser.close()  # it refers to the wire, which refers to it
        self._all.discard(self)
        taker, self._taker = self._taker, _NOBODY  # who refers to this
        taker.lost()

    def pause_writing(self) -> None:
        """The peer does not take what it is sent: it is heard no further, as each of its pings would be answered."""
        self._choked = True
        self._pause()
        if not self._ended:
            self._wait(STALLED_S)

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self._choked = False
        if not self._ended:
            self._stop_waiting()
        self._read()
        self._taker.drained()

    def shutdown(self) -> None:
        """The server stops."""
        self._taker.leave()

    @property
    def _is_stopped(self) -> bool:
        """Whether what has come is to wait. Of one that has ended, the peer's answer is still to be read."""
        return not self._ended and (self._held or self._choked)

    def _read(self) -> None:
        """Parse what has come, as long as it is taken."""
        while self._unread and not self._is_stopped:
            piece, self._unread = self._unread[:_PIECE_BYTES], self._unread[_PIECE_BYTES:]
            self._wire.receive_data(bytes(piece))
            for event in self._wire.events_received():
                if isinstance(event, Frame):
                    self._frame(event)
            self._flush()
            self._look_for_the_end()
        if self._is_stopped:
            self._pause()
        elif self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _frame(self, frame: Frame) -> None:
        if self._ended:
            return
        if frame.opcode is Opcode.BINARY:
            self.end(NO_TEXT, "Messages are text")
        elif frame.opcode is Opcode.TEXT and frame.fin:
            self._whole(bytes(frame.data))
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            self._message = bytearray() if self._message is None else self._message
            self._message += frame.data
            if frame.fin:
                whole, self._message = bytes(self._message), None
                self._whole(whole)

    def _whole(self, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.end(NO_UTF8, "A message was not UTF-8")
        else:
            self._taker.heard(text)

    def _look_for_the_end(self) -> None:
        """The wire has written the close itself, where it answers one or has refused what came."""
        if self._wire.close_rcvd is not None:
            if not self._ended:
                self._over(_CLOSING_S)
            self._transport.close()  # when what waits has been taken
        elif self._wire.parser_exc is not None and not self._ended:
            self._over(_LINGER_S)

    def _over(self, within_s: float) -> None:
        self._ended = True
        self._message = None
        self._wait(within_s)

    def _flush(self) -> None:
        data = b"".join(self._wire.data_to_send())
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _wait(self, within_s: float) -> None:
        self._stop_waiting()
        self._timer = asyncio.get_running_loop().call_later(within_s, self.cut)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _short(reason: str) -> str:
    """A close frame has room for a line."""
    return reason.encode()[:_NOTE_BYTES].decode("utf-8", "ignore")
