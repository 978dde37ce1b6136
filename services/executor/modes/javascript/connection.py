"""A connection to a worker: one request after the other."""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from services.executor.modes.javascript.exchange import BrokenError, Exchange, TooLargeError

_READ_WHOLE_BYTES = 8192  # the host's HTTP server reads as much at once


class LostError(Exception):
    """The connection ended before the answer did. `unseen`: before the request was sent."""

    def __init__(self, *, unseen: bool = False) -> None:
        super().__init__("unseen" if unseen else "seen, perhaps")
        self.unseen = unseen


class Connection(asyncio.Protocol):
    """`on_broken` is told when the other side breaks the protocol, `on_lost` when it has closed."""

    def __init__(self, *, on_broken: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._on_broken = on_broken
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._sent_bytes = 0
        # Whether the other side has hung up, asked of the kernel: the loop may not have heard of it yet.
        self._gone = select.poll()

    def send(self, request: bytes, exchange: Exchange) -> None:
        """Ask, and have what comes put into the exchange."""
        if self._transport is None or self._transport.is_closing() or self._gone.poll(0):
            exchange.fail(LostError(unseen=True))
            return
        self._exchange = exchange
        self._sent_bytes = len(request)
        self._transport.write(request)

    def flow(self, *, on: bool) -> None:
        """Read on, or leave what comes where it is."""
        if self._transport is None or self._transport.is_closing():
            return
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """Be done with it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It can be used."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own are no subclass of it
        self._gone.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        exchange = self._exchange
        if exchange is None:
            self._on_broken()  # it spoke without being asked
            return
        try:
            exchange.feed(data)
        except TooLargeError as error:
            exchange.fail(error)
        except BrokenError as error:
            exchange.fail(error)
            self._on_broken()
        else:
            if exchange.flowing and exchange.came.is_set():  # until it is taken
                self.flow(on=False)
            if exchange.end.done():
                self._exchange = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._transport = None
        if self._exchange is not None:
            # The kernel resets a connection whose other end closes with bytes unread; a short request is read whole.
            unread = isinstance(exc, (ConnectionResetError, BrokenPipeError)) and self._sent_bytes <= _READ_WHOLE_BYTES
            self._exchange.fail(LostError(unseen=unread))
        self._on_lost()
