"""A response that lasts: the entries of a log as server-sent events, until somebody has had enough."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from services.api.core.following import Following
from services.api.core.lines import Chunk
from services.api.dialects.apps.translate import logs as translate

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LASTS = "shoal.lasts"  # where a request's scope has what to call when it is none of those in progress any more
HEAD = "shoal.head"  # and whether it wants no body
_STALLED_S = 60.0  # a client that takes nothing for so long is gone
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Live:
    """Sends what `following` brings, one after the other: who reads slowly is told slowly, and nothing piles up.

    Of lines those that are `wanted`. It ends with the client, when `ending` is set, or when `may_go_on` says no: that
    is asked every `keep_alive_s`.
    """

    def __init__(
        self,
        following: Following,
        may_go_on: Callable[[], Awaitable[bool]],
        *,
        ending: asyncio.Event,
        keep_alive_s: float,
        wanted: translate.Wanted,
    ) -> None:
        self._wanted = wanted
        self._following = following
        self._may_go_on = may_go_on
        self._ending = ending
        self._keep_alive_s = keep_alive_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        leave = scope.get(LASTS)
        if leave is not None:
            leave()
        try:
            await _sent(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if not scope.get(HEAD):
                await self._until_over(receive, send)
            await _sent(send, {"type": "http.response.body", "body": b""})
        except (TimeoutError, OSError):
            return  # the client is gone, or as good as
        finally:
            await self._following.close()

    async def _until_over(self, receive: Receive, send: Send) -> None:
        tasks = {
            asyncio.create_task(self._tell(send)),
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(self._ending_is_set()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    async def _ending_is_set(self) -> None:
        await self._ending.wait()

    async def _tell(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        await _part(send, translate.BEGIN)
        asked_at = loop.time()
        while True:
            told = await self._following.next(within_s=max(0.0, asked_at + self._keep_alive_s - loop.time()))
            if told is not None:
                part = translate.lines(told, self._wanted) if isinstance(told, Chunk) else translate.told(told)
                if part:
                    await _part(send, part)
            if loop.time() - asked_at >= self._keep_alive_s:
                if not await self._may_go_on():
                    return
                asked_at = loop.time()
                if told is None:
                    await _part(send, translate.KEEP_ALIVE)


async def _gone(receive: Receive) -> None:
    """Return when the client is."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _part(send: Send, data: bytes) -> None:
    await _sent(send, {"type": "http.response.body", "body": data, "more_body": True})


async def _sent(send: Send, message: dict[str, Any]) -> None:
    async with asyncio.timeout(_STALLED_S):
        await send(message)
