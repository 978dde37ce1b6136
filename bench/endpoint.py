"""Other people's webhooks: one that takes a second, one that answers at once, and one that never does.

Prints the addresses of the first two and of the third, which has a port of its own, one a line.
"""

import asyncio
import sys
from contextlib import suppress

import uvloop

_SLOW_S = 1.0
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            if head.startswith(b"post /slow"):
                await asyncio.sleep(_SLOW_S)
            writer.write(_ANSWER)
    except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
        writer.close()


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        await reader.read()
    writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    for serve in (_serve, _never):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
