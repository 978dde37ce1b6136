"""Standing pull requests: the server always knows how many more we would take, so no message waits for a round trip."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

EXPIRES_S = 30.0


async def standing_pull(
    connection: Client, stream: str, durable: str, *, take: Callable[[Msg], None], batch: int = 256
) -> None:
    """Hand every message of the durable consumer to `take`, asking for more when half of `batch` is used up."""
    inbox = connection.new_inbox()
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
    asked = 0

    async def ask() -> None:
        nonlocal asked
        request = {"batch": batch - asked, "expires": int(EXPIRES_S * 1e9)}
        asked = batch
        await connection.publish(subject, msgspec.json.encode(request), reply=inbox)

    async def arrived(message: Msg) -> None:
        nonlocal asked
        if message.reply:
            asked -= 1
            take(message)
        else:  # a request ran out or was refused; the header tells what it had left
            asked -= int((message.headers or {}).get("Nats-Pending-Messages", 0))
        if asked <= batch // 2:
            await ask()

    await connection.subscribe(inbox, cb=arrived, pending_msgs_limit=0, pending_bytes_limit=0)
    await ask()


class Side:
    """Runs handlers side by side; the bound is the consumer's limit of unacknowledged messages."""

    def __init__(self, handle: Callable[[Msg], Coroutine[Any, Any, None]]) -> None:
        self._handle = handle
        self._running: set[asyncio.Task[None]] = set()

    def take(self, message: Msg) -> None:
        """Start on a message now."""
        task = asyncio.create_task(self._handle(message))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            asyncio.get_running_loop().call_exception_handler({"message": "a handler failed", "exception": error})
