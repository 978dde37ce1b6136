"""A consumer that handles many messages at once, from several streams, and acknowledges them together."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg

from shared.bus.broker import Bus
from shared.bus.consumer import read
from shared.bus.delivery import DONE, Delivery, Drop
from shared.bus.pull import REDELIVERY_S, StandingPull
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

Batch = list[Delivery[Any]]


class BatchConsumer:
    """Gives `handle` what has come together: `size` messages, or those that came within `linger_s` of the first.

    A batch that meets a Problem (the store is away) is tried again until it works; meanwhile nothing more is pulled
    than the consumers' bounds allow, and the rest waits on the bus. `handle` returns the positions it cannot ever
    handle, with the reason; they are buried.
    """

    def __init__(
        self, bus: Bus, handle: Callable[[Batch], Awaitable[dict[int, str]]], *, size: int, linger_s: float
    ) -> None:
        self._bus = bus
        self._handle = handle
        self._size = size
        self._linger_s = linger_s
        self._pulls: list[StandingPull] = []
        self._waiting: list[tuple[StandingPull, Msg, Delivery[Any]]] = []
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._buried: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def add(self, spec: Consumer, *, body: Any) -> None:
        """Pull from this consumer too; `body` is the type of its messages. Before `start`."""
        decoder = msgspec.json.Decoder(body)
        pull = StandingPull(self._bus, spec, lambda message: self._arrived(pull, message, decoder))
        self._pulls.append(pull)

    async def start(self) -> None:
        """Begin to pull."""
        self._loop = asyncio.create_task(self._run())
        for pull in self._pulls:
            await pull.start()

    async def stop(self, *, grace_s: float) -> None:
        """Take no more, handle what is here for up to `grace_s`, and hand the rest back."""
        for pull in self._pulls:
            await pull.stop()
        self._stopping = True
        self._some.set()
        self._full.set()
        if self._loop is not None:
            await asyncio.wait({self._loop}, timeout=grace_s)
            self._loop.cancel()
        for pull in self._pulls:
            await pull.hand_back()

    def _arrived(self, pull: StandingPull, message: Msg, decoder: msgspec.json.Decoder[Any]) -> None:
        try:
            self._waiting.append((pull, message, read(message, decoder, release=partial(pull.release, message))))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            task = asyncio.create_task(pull.settle(message, Drop(f"undecodable: {error}")))
            self._buried.add(task)
            task.add_done_callback(self._buried.discard)
            return
        self._some.set()
        if len(self._waiting) >= self._size:
            self._full.set()

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._some.wait()
            if len(self._waiting) < self._size and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), timeout=self._linger_s)
            batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
            self._full.clear()
            if not self._waiting and not self._stopping:
                self._some.clear()
            if batch:
                await self._work(batch)

    async def _work(self, batch: list[tuple[StandingPull, Msg, Delivery[Any]]]) -> None:
        refused = await self._handled([delivery for _, _, delivery in batch])
        for position, (pull, message, _) in enumerate(batch):
            reason = refused.get(position)
            await pull.settle(message, DONE if reason is None else Drop(reason))

    async def _handled(self, batch: Batch) -> dict[int, str]:
        while True:
            try:
                return await self._handle(batch)
            except Problem as problem:
                self._bus.watch.trouble("batch waits", count=len(batch), problem=problem.message)
            except Exception as error:  # noqa: BLE001 - the loop that logs our own faults and goes on
                self._bus.watch.fault("batch failed", error, count=len(batch))
            await asyncio.sleep(REDELIVERY_S)
