"""A client of server-sent events, for the tests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

PATIENCE_S = 15.0


class Event(NamedTuple):
    """An event as it came; of a comment, `kind` is ":" and `data` its text."""

    kind: str
    id: int
    data: Any


class Events:
    """The events of one answer, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self, *, comments: bool = False) -> Event:
        """The next event, in time. Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(PATIENCE_S):
            fields: dict[str, str] = {}
            while True:
                line = await anext(self._lines)
                if line.startswith(":"):
                    if comments:
                        return Event(":", 0, line[1:].strip())
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    return Event(fields["event"], int(fields.get("id", 0)), json.loads(fields["data"]))

    async def end(self) -> bool:
        """Whether the answer ends as it should, in time."""
        async with asyncio.timeout(PATIENCE_S):
            async for _ in self._lines:
                pass
        return True


@asynccontextmanager
async def following(client: httpx.AsyncClient, path: str, **options: Any) -> AsyncIterator[Events]:
    """Follow, once the server has said that it begins."""
    async with client.stream("GET", path, **options) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = Events(answer)
        assert (await events.next(comments=True)).data == "following"
        yield events
