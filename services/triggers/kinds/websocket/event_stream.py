"""A channel as server-sent events, for as long as its client listens."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from services.triggers.kind import World
from services.triggers.kinds.websocket.channels import Hub, Subscription
from services.triggers.shares import Shares
from shared.bus.notices import Pushed
from shared.domain.app import App
from shared.domain.problem import Problem
from shared.exchange import Line, Receive, Send

BEGIN = b": listening\n\n"
"""Nothing that is pushed once this was sent is missed."""
KEEP_ALIVE = b": keep-alive\n\n"
_WAITING_BYTES = 1 << 20  # of messages that a client has not taken yet: one who has more is cut off
_STALLED_S = 60.0  # a client that takes nothing for so long is gone
_HEADERS: list[Line] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def form(pushed: Pushed) -> bytes:
    """A message as an event, the same for all who get it: its payload is on one line."""
    name = f"event: {pushed.event}\n".encode() if pushed.event else b""
    return b"%sdata: %s\n\n" % (name, pushed.payload)


class EventStreams:
    """All of this process."""

    def __init__(self, world: World, hub: Hub) -> None:
        settings = world.settings
        self._hub = hub
        self._ending = world.ending
        self._most = settings.event_streams
        self._keep_alive_s = settings.keep_alive_s
        self._shares = Shares(settings.tenant_event_streams)
        world.service.facts["event_streams"] = lambda: len(self._shares)

    async def open(self, app: App, channel: str, may_go_on: Callable[[], Awaitable[bool]]) -> "EventStream":
        """Listen. Raises Problem(unavailable, rate_limited)."""
        if self._ending.is_set() or len(self._shares) >= self._most:
            raise Problem("unavailable", "No more clients can listen here just now")
        if self._shares.is_out(app.tenant):
            raise Problem("rate_limited", f"{self._shares.most} clients listen already", retry_after_s=5)
        self._shares.take(app.tenant)
        stream = EventStream(may_go_on, ending=self._ending, keep_alive_s=self._keep_alive_s)
        try:
            subscription = await self._hub.join(app.tenant, app.id, channel, stream.deliver, form=form)
        except BaseException:
            self._shares.give_back(app.tenant)
            raise
        stream.opened(subscription, lambda: self._shares.give_back(app.tenant))
        return stream


class EventStream:
    """One client's. It ends with the client, when `ending` is set, when `may_go_on` says no, or when he is too slow."""

    def __init__(self, may_go_on: Callable[[], Awaitable[bool]], *, ending: asyncio.Event, keep_alive_s: float) -> None:
        self._may_go_on = may_go_on
        self._ending = ending
        self._keep_alive_s = keep_alive_s
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._some = asyncio.Event()
        self._slow = asyncio.Event()
        self._subscription: Subscription
        self._leave: Callable[[], None]

    def opened(self, subscription: Subscription, leave: Callable[[], None]) -> None:
        """It is counted, and listens."""
        self._subscription = subscription
        self._leave = leave

    def deliver(self, data: bytes) -> None:
        """Take a message for the client."""
        if self._slow.is_set():
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._some.set()
        if self._waiting_bytes > _WAITING_BYTES:
            self._slow.set()

    async def serve(self, receive: Receive, send: Send, *, beside: list[Line]) -> None:
        """Answer the request."""
        try:
            await _sent(send, {"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *beside]})
            await self._until_over(receive, send)
        except (TimeoutError, OSError):
            return  # the client is gone, or as good as
        finally:
            self._waiting.clear()
            await self._subscription.leave()
            self._leave()
        with suppress(TimeoutError, OSError):
            await _sent(send, {"type": "http.response.body", "body": b""})

    async def _until_over(self, receive: Receive, send: Send) -> None:
        tasks = {
            asyncio.create_task(self._tell(send)),
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(_is_set(self._ending)),
            asyncio.create_task(_is_set(self._slow)),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in done:
            task.result()

    async def _tell(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        await _part(send, BEGIN)
        asked_at = loop.time()
        while True:
            data = await self._next(within_s=max(0.0, asked_at + self._keep_alive_s - loop.time()))
            if data:
                await _part(send, data)
            if loop.time() - asked_at >= self._keep_alive_s:
                if not await self._still():
                    return
                asked_at = loop.time()
                if not data:
                    await _part(send, KEEP_ALIVE)

    async def _still(self) -> bool:
        try:
            return await self._may_go_on()
        except Problem:
            return True  # the store is away: what was known holds

    async def _next(self, *, within_s: float) -> bytes:
        """All that waits, or nothing if nothing comes in time."""
        if not self._waiting:
            self._some.clear()
            try:
                await asyncio.wait_for(self._some.wait(), timeout=within_s)
            except TimeoutError:
                return b""
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return data


async def _gone(receive: Receive) -> None:
    """Return when the client is."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _is_set(event: asyncio.Event) -> None:
    await event.wait()


async def _part(send: Send, data: bytes) -> None:
    await _sent(send, {"type": "http.response.body", "body": data, "more_body": True})


async def _sent(send: Send, message: dict[str, Any]) -> None:
    async with asyncio.timeout(_STALLED_S):
        await send(message)
