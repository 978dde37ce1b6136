"""Ask the services whether they can do their job, over their health ports."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping

_ANSWER_S = 5.0
_PAUSE_S = 0.1
_OK = b" 200 "


async def until_ready(doors: Mapping[str, socket.socket], *, within_s: float) -> list[str]:
    """Return when all are ready or the time is up; the names of those that are not."""
    asking = {name: asyncio.create_task(_until_one(door)) for name, door in doors.items()}
    try:
        await asyncio.wait(asking.values(), timeout=within_s)
        return [name for name, task in asking.items() if not task.done()]
    finally:
        for task in asking.values():
            task.cancel()
        await asyncio.gather(*asking.values(), return_exceptions=True)


async def _until_one(door: socket.socket) -> None:
    # Readiness is a question over HTTP: nobody tells us when the answer changes.
    while not await _ready(door):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE_S)


async def _ready(door: socket.socket) -> bool:
    """A service that does not listen yet leaves the question in the socket's queue, and answers it first thing."""
    host, port = door.getsockname()[:2]
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                return _OK in await reader.readline()
            finally:
                writer.close()
    return False
