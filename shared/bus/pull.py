"""Pulling from a durable consumer, message by message.

What is held is kept alive by in-progress signals until it is settled; a process that dies stops signalling, and its
messages are handed to someone else after the lease.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Done, Drop, Later, Verdict
from shared.bus.messages import DeadLetter
from shared.bus.place import Place
from shared.bus.requests import Requests
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

REDELIVERY_S = 1.0  # after a fault of ours, or of the infrastructure
_SIGNAL_S = 5.0  # in-progress signals at least this often, and thrice a lease


class StandingPull:
    """Calls `arrived` for each message; whoever takes it must `settle` it in the end."""

    def __init__(self, bus: Bus, spec: Consumer, arrived: Callable[[Msg, Place], None]) -> None:
        self.spec = spec
        self._bus = bus
        self._deliver = arrived
        self._requests = Requests(
            bus, in_hand=spec.in_hand, least=spec.least, arrived=self._arrived, revive=self._revive
        )
        self._held: dict[int, Msg] = {}  # not settled yet: kept alive
        self._released: set[int] = set()  # of these, the ones that take no room any more
        self._upkeep: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Create the consumer and begin to pull."""
        await self._requests.start()
        self._upkeep = asyncio.create_task(self._keep_up())

    async def stop(self) -> None:
        """Take no more. What is held stays alive until `hand_back`."""
        await self._requests.stop()

    async def hand_back(self) -> None:
        """Give what is still held to someone else, at once."""
        if self._upkeep is not None:
            self._upkeep.cancel()
        for message in list(self._held.values()):
            await self.settle(message, Later(0.0))

    async def settle(self, message: Msg, verdict: Verdict) -> None:
        """Acknowledge, hand back, or bury; then there is room for another. A bus that is away will deliver it again."""
        try:
            match verdict:
                case Done():
                    await self._bus.client.publish(message.reply, b"+ACK")
                case Later(delay_s=delay_s):
                    await message.nak(delay=delay_s or None)
                case Drop(reason=reason):
                    await bury(self._bus, message, stream=self.spec.stream, reason=reason)
                    await message.term()
        except (nats.errors.Error, OSError, Problem):
            self._bus.watch.trouble("could not settle", stream=self.spec.stream)
        self.release(message)
        self._held.pop(id(message), None)
        self._released.discard(id(message))

    def release(self, message: Msg) -> None:
        """This one takes no room any more, though it may not be settled yet."""
        if id(message) in self._held and id(message) not in self._released:
            self._released.add(id(message))
            self._requests.room_made()

    async def _revive(self) -> str:
        await self._bus.ensure_consumer(self.spec)
        return f"{self.spec.stream}.{self.spec.name}"

    def _arrived(self, message: Msg) -> None:
        self._held[id(message)] = message
        place = Place.of(message)
        if place.delivery > 1:
            self._bus.watch.redelivered(self.spec.stream)
        self._deliver(message, place)

    async def _keep_up(self) -> None:
        """Signal life for what is held."""
        while True:
            await asyncio.sleep(min(self.spec.lease_s / 3, _SIGNAL_S))
            self._requests.check()
            for message in list(self._held.values()):
                with suppress(nats.errors.Error, OSError):
                    await message.in_progress()


async def bury(bus: Bus, message: Msg, *, stream: str, reason: str) -> None:
    """Put a message that cannot be handled into DEAD, as it came. Raises Problem(unavailable)."""
    sequence = Place.of(message).sequence
    letter = DeadLetter(
        stream=stream, sequence=sequence, subject=message.subject, reason=reason, at=time.time(), data=message.data
    )
    _, tenant, function, *_ = [*message.subject.split("."), "unknown", "unknown"]
    if stream == "WORK":  # work.<pool>.<tenant>: the tenant stands last
        tenant, function = function, "unknown"
    await bus.store(subjects.dead(tenant, function), letter, id=f"{stream}.{sequence}")
    bus.watch.buried(stream, sequence, reason)
