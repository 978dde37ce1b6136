"""The endpoint of the proxy functions: it keeps which calls reached it, and when."""

import asyncio
import time
from collections import defaultdict
from typing import Any

import msgspec

_ANSWER = b'{"taken":true}'
_HEAD = b"HTTP/1.1 %d Done\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Taken(msgspec.Struct, frozen=True):
    """One request."""

    at: float
    task_id: str
    number: int


class Receiver:
    """`taken` has every request, by its task."""

    def __init__(self) -> None:
        self.taken: dict[str, list[Taken]] = defaultdict(list)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                params = msgspec.json.decode(body)["params"]
                status = self._take(headers["x-execution-id"], params)
                await asyncio.sleep(params.get("pause_s", 0.0))
                writer.write(_HEAD % (status, len(_ANSWER)) + _ANSWER)
                await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    def _take(self, task_id: str, params: dict[str, Any]) -> int:
        """The status to answer: the first `failures` requests of a task are refused."""
        self.taken[task_id].append(Taken(time.time(), task_id, params["number"]))
        return 503 if len(self.taken[task_id]) <= params.get("failures", 0) else 200
