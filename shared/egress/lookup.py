"""The system's resolver: a name server that does not answer holds up its own names only."""

import asyncio
import socket
import threading
from contextlib import suppress

import httpcore

_SIDE_BY_SIDE = 64  # look-ups that have just begun; one more waits
_QUICK_S = 0.2  # after which one is slow: others need not wait for it
_MOST = 1024  # look-ups at all, slow ones too, until the resolver gives up on them

_Found = asyncio.Future[list[str]]


class Lookup:
    """Addresses of a name, asked for once at a time however many want to know; nothing is remembered.

    A thread each, that nobody waits for at the end: the resolver cannot be interrupted.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], _Found] = {}
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses, best first. Raises httpcore.ConnectError."""
        found = self._asked.get((host, port))
        if found is None:
            async with self._room:
                found = self._asked.get((host, port)) or self._begin(host, port)
                await asyncio.wait({found}, timeout=_QUICK_S)
        return await asyncio.shield(found)

    def _begin(self, host: str, port: int) -> _Found:
        if len(self._asked) >= _MOST:
            raise httpcore.ConnectError(f"the name {host} cannot be looked up: too many others are")
        loop = asyncio.get_running_loop()
        found: _Found = loop.create_future()
        self._asked[host, port] = found
        found.add_done_callback(lambda _: self._asked.pop((host, port), None))
        found.add_done_callback(lambda done: done.exception())  # nobody may be waiting any more

        def ask() -> None:
            answer: list[str] | httpcore.ConnectError
            try:
                entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                answer = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
            except (OSError, UnicodeError):
                answer = httpcore.ConnectError(f"the name {host} has no address")
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_tell, found, answer)

        threading.Thread(target=ask, name="lookup", daemon=True).start()
        return found


def _tell(found: _Found, answer: list[str] | httpcore.ConnectError) -> None:
    if found.done():
        return
    if isinstance(answer, list):
        found.set_result(answer)
    else:
        found.set_exception(answer)
