"""One HTTP connection to the triggers service: requests are written as they come, and the answer is heard meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httptools

from shared.exchange import Line

_READ_BYTES = 64 << 10
_FINAL = 200  # what is less only says that an answer will come
_CLOSE_S = 1.0


class BrokenOffError(Exception):
    """The server has gone, does not answer in time, or says what is no HTTP."""


class Answer:
    """An answer as it is parsed; `parts` is what came of the body and was not taken yet.

    After one that `may_go_on` its connection may be used again.
    """

    def __init__(self, *, has_body: bool) -> None:
        self.status = 0
        self.lines: list[Line] = []
        self.parts: list[bytes] = []
        self.is_begun = False
        self.is_whole = False
        self.may_go_on = False
        self._has_body = has_body
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what came; nothing is its end. Raises BrokenOffError."""
        if not data:
            if not self.is_begun or any(name in (b"content-length", b"transfer-encoding") for name, _ in self.lines):
                raise BrokenOffError
            self.is_whole = True
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise BrokenOffError from error

    def on_header(self, name: bytes, value: bytes) -> None:
        """One line; those after a body are nobody's."""
        if not self.is_begun:
            self.lines.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is here, or that of an answer before the answer."""
        self.status = self._parser.get_status_code()
        if self.status < _FINAL:
            self.lines = []
            return
        self.is_begun = True
        self.may_go_on = self._has_body and self._parser.should_keep_alive()  # it is known here alone
        self.is_whole = not self._has_body

    def on_body(self, body: bytes) -> None:
        """Some of it."""
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """All of it, and nothing else may come."""
        self.is_whole = self.is_begun


class Upstream:
    """A connection, for one exchange after the other. What it cannot finish closes it.

    `answer_s` bounds the wait for a head, and that for any part of a body.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._answer_s = answer_s
        self._answer: Answer | None = None
        self._is_written = True
        self.used_at = 0.0

    @property
    def is_free(self) -> bool:
        """Whether it is good for another request, as far as can be seen."""
        answer = self._answer
        done = answer is None or (answer.is_whole and not answer.parts and answer.may_go_on)
        return done and self._is_written and not self._reader.at_eof() and not self._writer.is_closing()

    async def ask(self, head: bytes, body: AsyncIterator[bytes], *, has_answer_body: bool) -> Answer:
        """Send a request, and return as soon as the head of its answer is here, be the request whole or not.

        Raises BrokenOffError, and what the body raises.
        """
        self._answer = answer = Answer(has_body=has_answer_body)
        self._is_written = False
        writing = asyncio.create_task(self._write(head, body))
        reading = asyncio.create_task(self._until_begun(answer))
        try:
            await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                writing.result()
                await asyncio.wait({reading}, timeout=self._answer_s)
            if not reading.done():
                raise BrokenOffError
            reading.result()
        finally:
            for task in (writing, reading):
                task.cancel()
            await asyncio.wait({writing, reading})
        return answer

    async def parts(self) -> AsyncIterator[bytes]:
        """The body of the answer, as it comes. Raises BrokenOffError."""
        answer = self._answer
        while answer is not None:
            parts, answer.parts = answer.parts, []
            if parts:
                yield b"".join(parts)
            elif answer.is_whole:
                return
            else:
                try:
                    async with asyncio.timeout(self._answer_s):
                        await self._read(answer)
                except TimeoutError:
                    raise BrokenOffError from None

    async def close(self) -> None:
        """Close it."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()

    async def _write(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        """A server that has heard enough closes, and has said why."""
        with suppress(ConnectionError):
            self._writer.write(head)
            async for part in body:
                self._writer.write(part)
                await self._writer.drain()
            self._is_written = True

    async def _until_begun(self, answer: Answer) -> None:
        while not answer.is_begun:
            await self._read(answer)

    async def _read(self, answer: Answer) -> None:
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError as error:
            raise BrokenOffError from error
        answer.feed(data)
