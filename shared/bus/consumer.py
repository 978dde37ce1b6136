"""A consumer that runs one handler a message, side by side, as many as its bound allows."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

import msgspec
from nats.aio.msg import Msg

from shared import tracing
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery, Drop, Later, Verdict, always
from shared.bus.place import Place
from shared.bus.pull import REDELIVERY_S, StandingPull
from shared.bus.room import Room
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

Body = TypeVar("Body")
Handler = Callable[[Delivery[Body]], Awaitable[Verdict]]
GivenUp = Callable[[Delivery[Body], str], Awaitable[None]]

_MOST_FAULTS = 10  # a message whose handling has failed so often by a fault of ours is not tried again


class PullConsumer(Generic[Body]):
    """Decodes each message into `body`, for `handle`. `given_up` ends what is dropped though it could be read.

    `room` and `ensure` are those of `StandingPull`.
    """

    def __init__(
        self,
        bus: Bus,
        spec: Consumer,
        *,
        body: type[Body],
        handle: Handler[Body],
        given_up: GivenUp[Body] | None = None,
        room: Room | None = None,
        ensure: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._bus = bus
        self._decoder = msgspec.json.Decoder(body)
        self._handle = handle
        self._given_up = given_up
        self._pull = StandingPull(bus, spec, self._arrived, room=room, ensure=ensure)
        self._running: set[asyncio.Task[None]] = set()
        self._faults: Counter[int] = Counter()  # by sequence; deliveries also count what was handed back untried

    @property
    def quiet(self) -> bool:
        """Whether nothing is held, and nothing is asked for."""
        return self._pull.quiet

    def look(self) -> None:
        """There may be more room than before."""
        self._pull.look()

    async def pulling(self) -> bool:
        """Whether messages come when there are any: a check for readiness."""
        return self._pull.pulling

    async def start(self) -> None:
        """Begin to pull."""
        await self._pull.start()

    async def quit(self) -> None:
        """Take no more: the first step of `stop`."""
        await self._pull.stop()

    async def stop(self, *, grace_s: float) -> None:
        """Take no more, let what runs finish for up to `grace_s`, and hand the rest back at once."""
        await self._pull.stop()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_s)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=1.0)
        await self._pull.hand_back()

    def _arrived(self, message: Msg, place: Place) -> None:
        task = asyncio.create_task(self._take(message, place))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _take(self, message: Msg, place: Place) -> None:
        try:
            release, is_ours = partial(self._pull.release, place.sequence), partial(self._pull.is_ours, place.sequence)
            delivery = read(message, place, self._decoder, release=release, is_ours=is_ours)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            await self._pull.settle(place.sequence, Drop(f"undecodable: {error}"))
        else:
            if tracing.on:
                tracing.carry(delivery.trace)
            await self._pull.settle(place.sequence, await self._judged(delivery))

    async def _judged(self, delivery: Delivery[Body]) -> Verdict:
        """The handler's verdict. A fault of ours is logged here and nowhere else, and the message handed back."""
        try:
            verdict = await self._handle(delivery)
        except Problem as problem:
            self._bus.watch.trouble(
                "could not handle", stream=self._pull.spec.stream, problem=problem.message, **_whose(delivery.body)
            )
            return Later(REDELIVERY_S) if problem.code == "unavailable" else await self._failed(delivery, problem)
        except Exception as error:  # noqa: BLE001 - the loop that logs our own faults and goes on
            self._bus.watch.fault(
                "handler failed",
                error,
                stream=self._pull.spec.stream,
                sequence=delivery.sequence,
                **_whose(delivery.body),
            )
            return await self._failed(delivery, error)
        self._faults.pop(delivery.sequence, None)
        return verdict

    async def _failed(self, delivery: Delivery[Body], error: Exception) -> Verdict:
        self._faults[delivery.sequence] += 1
        if self._faults[delivery.sequence] < _MOST_FAULTS:
            return Later(REDELIVERY_S)
        verdict = await self._give_up(delivery, f"failed {_MOST_FAULTS} times: {error!r}")
        if isinstance(verdict, Drop):
            del self._faults[delivery.sequence]
        return verdict

    async def _give_up(self, delivery: Delivery[Body], reason: str) -> Verdict:
        if self._given_up is not None:
            try:
                await self._given_up(delivery, reason)
            except Exception as error:  # noqa: BLE001 - then it is tried again, later
                self._bus.watch.fault(
                    "could not give up", error, stream=self._pull.spec.stream, **_whose(delivery.body)
                )
                return Later(REDELIVERY_S)
        return Drop(reason)


def _whose(body: object) -> dict[str, object]:
    """Of which invocation it is, where it is of one; of which function's tick, by its number, and when it was due."""
    names = ("task_id", "tenant", "function", "function_id", "due")
    return {name: getattr(body, name) for name in names if hasattr(body, name)}


def read(
    message: Msg,
    place: Place,
    decoder: msgspec.json.Decoder[Body],
    *,
    release: Callable[[], None],
    is_ours: Callable[[], bool] = always,
) -> Delivery[Body]:
    """The typed message. Raises msgspec.DecodeError."""
    trace = tracing.came_with(message.headers) if tracing.on else tracing.NONE
    return Delivery(decoder.decode(message.data), place.sequence, place.delivery, release, is_ours, trace)
