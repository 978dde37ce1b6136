"""One exchange over ASGI, where it is not the framework's: a body that is read within bounds, a caller who may go."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from shared.domain.problem import Problem
from shared.waiting import Wait

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Line = tuple[bytes, bytes]

_WATCH_S = 1.0  # most calls are over before it is worth asking whether the caller is still there


def announced(headers: Iterable[Line], *, most_bytes: int) -> None:
    """Refuse a head that announces too long a body. Raises Problem(too_large)."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value) > most_bytes:
            raise too_long(most_bytes)


async def read(receive: Receive, *, most_bytes: int, within_s: float) -> bytes:
    """The body. Raises Problem(too_large, invalid)."""
    try:
        async with asyncio.timeout(within_s):
            body, more = await part(receive)
            while more and len(body) <= most_bytes:
                further, more = await part(receive)
                body += further
    except TimeoutError:
        raise late(within_s) from None
    if len(body) > most_bytes:
        raise too_long(most_bytes)
    return bytes(body)


async def skip(receive: Receive, *, most_bytes: int, within_s: float) -> None:
    """Take in a body that nobody will read, up to bounds: the one before an answer behind which the connection closes.

    Closed with bytes unread it would be reset, and the answer might never be seen.
    """
    try:
        async with asyncio.timeout(within_s):
            more = True
            while more and most_bytes > 0:
                skipped, more = await part(receive)
                most_bytes -= len(skipped)
    except (TimeoutError, Problem):
        return


def too_long(most_bytes: int) -> Problem:
    """A body of more bytes than may be."""
    return Problem("too_large", f"The body is longer than {most_bytes} bytes")


def late(within_s: float) -> Problem:
    """A body whose sender took too long."""
    return Problem("invalid", f"The body did not arrive within {within_s:g} s")


async def part(receive: Receive) -> tuple[bytes, bool]:
    """Some of a body, and whether there is more. Raises Problem(invalid) where its sender has gone."""
    event = await receive()
    if event["type"] == "http.disconnect":  # not the end of the body: without this, half a request would be run
        raise Problem("invalid", "The connection was closed before the body had arrived")
    return event["body"], event["more_body"]


class Watch:
    """Gives up the wait of a caller who has gone: a place is not kept for nobody."""

    def __init__(self, wait: Wait, receive: Receive) -> None:
        self._wait = wait
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_WATCH_S, self._begin)

    def end(self) -> None:
        """Stop looking."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        await self._receive()  # after the body there is only one event: the connection has closed
        self._wait.give_up()
