"""A consumer that runs one handler a message, side by side, as many as its bound allows."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

import msgspec
from nats.aio.msg import Msg

from shared.bus.broker import Bus
from shared.bus.delivery import Delivery, Drop, Later, Verdict
from shared.bus.place import Place
from shared.bus.pull import REDELIVERY_S, StandingPull
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

Body = TypeVar("Body")
Handler = Callable[[Delivery[Body]], Awaitable[Verdict]]


class PullConsumer(Generic[Body]):
    """Decodes each message into `body` and gives it to `handle`."""

    def __init__(self, bus: Bus, spec: Consumer, *, body: type[Body], handle: Handler[Body]) -> None:
        self._bus = bus
        self._decoder = msgspec.json.Decoder(body)
        self._handle = handle
        self._pull = StandingPull(bus, spec, self._arrived)
        self._running: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to pull."""
        await self._pull.start()

    async def stop(self, *, grace_s: float) -> None:
        """Take no more, let what runs finish for up to `grace_s`, and hand the rest back at once."""
        await self._pull.stop()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_s)
        for task in list(self._running):
            task.cancel()
        await self._pull.hand_back()

    def _arrived(self, message: Msg, place: Place) -> None:
        task = asyncio.create_task(self._take(message, place))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _take(self, message: Msg, place: Place) -> None:
        """Decode, handle, settle. A fault of ours is logged here and nowhere else, and the message handed back."""
        verdict: Verdict = Later(REDELIVERY_S)
        try:
            release = partial(self._pull.release, message)
            verdict = await self._handle(read(message, place, self._decoder, release=release))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            verdict = Drop(f"undecodable: {error}")
        except Problem as problem:
            self._bus.watch.trouble("could not handle", stream=self._pull.spec.stream, problem=problem.message)
        except Exception as error:  # noqa: BLE001 - the loop that logs our own faults and goes on
            self._bus.watch.fault("handler failed", error, stream=self._pull.spec.stream, subject=message.subject)
        await self._pull.settle(message, verdict)


def read(
    message: Msg, place: Place, decoder: msgspec.json.Decoder[Body], *, release: Callable[[], None]
) -> Delivery[Body]:
    """The typed message. Raises msgspec.DecodeError."""
    return Delivery(decoder.decode(message.data), place.sequence, place.delivery, place.stored_at, release)
