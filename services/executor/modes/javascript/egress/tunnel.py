"""Bytes both ways between a program and what it has connected to, within bounds."""

import asyncio

import httpcore

from services.executor.modes.javascript.egress.asked import last_of_connection
from services.executor.modes.javascript.egress.bounds import Bounds

_PIECE_BYTES = 64 << 10
_OPENED = b"HTTP/1.1 200 Connected\r\n\r\n"


class Tunnel:
    """One connection. It ends when either side does, is quiet for too long, or there was too much."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: httpcore.AsyncNetworkStream,
        bounds: Bounds,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._target = target
        self._bounds = bounds
        self._clock = asyncio.get_running_loop().time
        self._left_bytes = bounds.connection_bytes

    async def run(self, head: bytes) -> None:
        """Carry bytes to the end of it; first this head of a request, if there is one, and the head of its answer."""
        try:
            async with asyncio.timeout(self._bounds.connection_s), asyncio.timeout(self._bounds.idle_s) as quiet:
                ways = [asyncio.ensure_future(self._out(head, quiet)), asyncio.ensure_future(self._back(head, quiet))]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        except TimeoutError:
            return

    async def _out(self, head: bytes, quiet: asyncio.Timeout) -> None:
        if head:
            await self._target.write(head)
        while (piece := await self._reader.read(_PIECE_BYTES)) and self._counts(piece, quiet):
            await self._target.write(piece)

    async def _back(self, head: bytes, quiet: asyncio.Timeout) -> None:
        self._writer.write(await self._answer() if head else _OPENED)
        while (piece := await self._target.read(_PIECE_BYTES)) and self._counts(piece, quiet):
            self._writer.write(piece)
            await self._writer.drain()

    async def _answer(self) -> bytes:
        """The beginning of an answer, which says that there is no second one on this connection.

        Without that, a client would send its next request here, to the proxy, and it would go to the target.
        """
        read = bytearray()
        while (answer := last_of_connection(bytes(read))) is None:
            piece = await self._target.read(_PIECE_BYTES)
            if not piece or len(read) > self._bounds.head_bytes:
                raise OSError("no answer")
            read += piece
        return answer

    def _counts(self, piece: bytes, quiet: asyncio.Timeout) -> bool:
        """Whether so many more may pass."""
        quiet.reschedule(self._clock() + self._bounds.idle_s)
        self._left_bytes -= len(piece)
        return self._left_bytes >= 0
