"""One answer over HTTP from a worker, which may send anything at all. Nothing is kept beyond its bounds."""

import asyncio
from collections.abc import Callable

import httptools

from shared.domain.request import Header

# What comes beside body and header lines: the status line, and the lengths of chunks.
_FRAMING_BYTES = 4 << 10
_FRAMING_FACTOR = 8
_RESET_CONTENT = 205  # has no body, which the parser does not know
_LEAST_STATUS, _MOST_STATUS = 200, 599


class BrokenError(Exception):
    """What came is no answer that an honest host gives."""


class TooLargeError(Exception):
    """The body is over its bound."""


class Exchange:
    """An answer as it comes in. `head` is done with the status and the headers, `end` with the last byte of the body.

    With `flowing` the body is taken in parts, by `taken`; `most_bytes` bounds what is held of it at one time.
    """

    def __init__(
        self, *, most_bytes: int, header_bytes: int, flows: Callable[["Exchange"], bool] = lambda _: False
    ) -> None:
        loop = asyncio.get_running_loop()
        self.head: asyncio.Future[None] = loop.create_future()
        self.end: asyncio.Future[None] = loop.create_future()
        self.came = asyncio.Event()
        self.status = 0
        self.headers: list[Header] = []
        self.flowing = False
        self._flows = flows
        self._body = bytearray()
        self._most_bytes = most_bytes
        self._most_header_bytes = self._header_bytes = header_bytes
        self._raw_bytes = 0
        self._begun = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take in what came. Raises BrokenError, TooLargeError."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserCallbackError, httptools.HttpParserError) as error:
            cause = error.__context__
            if isinstance(cause, (BrokenError, TooLargeError)):
                raise cause from None
            raise BrokenError(str(error)) from error
        self._raw_bytes += len(data)
        if not self.flowing and self._raw_bytes > self._most_raw_bytes():
            raise BrokenError("more than a body and its headers")

    def taken(self) -> bytes:
        """What has come of the body since it was last asked."""
        part = bytes(self._body)
        self._body.clear()
        self.came.clear()
        return part

    def fail(self, error: Exception) -> None:
        """There will be no more of it."""
        for future in (self.head, self.end):
            if not future.done():
                future.set_exception(error)
                future.exception()  # whoever waits for one of them hears of it there
        self.came.set()

    def header(self, name: str) -> str:
        """The first value of a header, small letters, or the empty string."""
        return next((value for key, value in self.headers if key == name), "")

    def _most_raw_bytes(self) -> int:
        body_bytes = _FRAMING_FACTOR * self._most_bytes if self.head.done() else 0
        return self._most_header_bytes + _FRAMING_BYTES + body_bytes

    # What the parser calls.

    def on_message_begin(self) -> None:
        """The first byte."""
        if self._begun:
            raise BrokenError("a second answer")
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or one of the trailers, of which there are none."""
        self._header_bytes -= len(name) + len(value)
        if self._header_bytes < 0 or self.head.done():  # after the body there may be more: trailers
            raise BrokenError("more header lines than may be")
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The body comes."""
        self.status = self._parser.get_status_code()
        if not _LEAST_STATUS <= self.status <= _MOST_STATUS:
            raise BrokenError(f"status {self.status}")
        self.flowing = self._flows(self)
        self.head.set_result(None)
        if self.status == _RESET_CONTENT:
            self._complete()

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        if not self.flowing and len(self._body) + len(body) > self._most_bytes:
            raise TooLargeError
        self._body += body
        self.came.set()

    def on_message_complete(self) -> None:
        """The last byte."""
        self._complete()

    def _complete(self) -> None:
        if not self.end.done():
            self.end.set_result(None)
            self.came.set()
