"""Standing pull requests on a durable consumer: messages come as they are stored, never more than there is room for.

What is held is kept alive by in-progress signals until it is put down; a process that dies stops signalling, and its
messages are handed to someone else after the lease.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Done, Drop, Later, Verdict
from shared.bus.messages import DeadLetter
from shared.bus.place import Place
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

REDELIVERY_S = 1.0  # after a fault of ours, or of the infrastructure
_REQUEST_S = 20.0  # how long one standing request stands; a longer silence means that it was lost
_SIGNAL_S = 5.0  # in-progress signals at least this often, or thrice a lease


class StandingPull:
    """Calls `arrived` for each message; whoever takes it must `settle` it in the end."""

    def __init__(self, bus: Bus, spec: Consumer, arrived: Callable[[Msg, Place], None]) -> None:
        self.spec = spec
        self._in_hand = spec.in_hand
        self._least = spec.least
        self._bus = bus
        self._deliver = arrived
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{spec.stream}.{spec.name}"
        self._inbox = bus.client.new_inbox()
        self._subscription: Subscription | None = None
        self._asked = 0  # messages that standing requests may still bring
        self._heard_at = 0.0
        self._held: dict[int, Msg] = {}  # not settled yet: kept alive
        self._released: set[int] = set()  # of these, the ones that take no room any more
        self._room = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Create the consumer and begin to pull."""
        await self._bus.ensure_consumer(self.spec)
        self._subscription = await self._bus.client.subscribe(
            self._inbox, cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._bus.on_return(self._forget_requests)
        self._upkeep = asyncio.create_task(self._keep_up())
        self._asking = asyncio.create_task(self._ask_for_more())
        self._room.set()

    async def stop(self) -> None:
        """Take no more. What is held stays alive until `hand_back`."""
        self._stopped = True
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    async def hand_back(self) -> None:
        """Give what is still held to someone else, at once."""
        for task in (self._upkeep, self._asking):
            if task is not None:
                task.cancel()
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
                    await self._bury(message, reason)
                    await message.term()
        except (nats.errors.Error, OSError, Problem):
            self._bus.watch.trouble("could not settle", stream=self.spec.stream)
        self._held.pop(id(message), None)
        self._released.discard(id(message))
        self._ask_soon()

    def release(self, message: Msg) -> None:
        """This one takes no room any more, though it is not settled yet."""
        if id(message) in self._held:
            self._released.add(id(message))
            self._ask_soon()

    def _free(self) -> int:
        return self._in_hand - len(self._held) + len(self._released) - self._asked

    def _ask_soon(self) -> None:
        if self._free() >= self._least:
            self._room.set()

    async def _ask_for_more(self) -> None:
        """Ask for all there is room for, whenever there is room for a chunk: what comes in one turn is one request."""
        while True:
            await self._room.wait()
            self._room.clear()
            room = self._free()
            if self._stopped or room < self._least:
                continue
            self._asked += room
            self._heard_at = time.monotonic()
            request = b'{"batch":%d,"expires":%d}' % (room, int(_REQUEST_S * 1e9))
            try:
                await self._bus.client.publish(self._subject, request, reply=self._inbox)
            except (nats.errors.Error, OSError):
                self._asked -= room  # `_keep_up` or the connection's return will ask again

    async def _arrived(self, message: Msg) -> None:
        self._heard_at = time.monotonic()
        if message.reply:
            self._asked = max(0, self._asked - 1)
            self._held[id(message)] = message
            place = Place.of(message)
            if place.delivery > 1:
                self._bus.watch.redelivered(self.spec.stream)
            self._deliver(message, place)
        else:  # a status: the request has ended (404, 408, 409), with so many unserved
            unserved = int((message.headers or {}).get("Nats-Pending-Messages", self._asked))
            self._asked = max(0, self._asked - unserved)
        self._ask_soon()

    async def _bury(self, message: Msg, reason: str) -> None:
        sequence = Place.of(message).sequence
        letter = DeadLetter(
            stream=self.spec.stream,
            sequence=sequence,
            subject=message.subject,
            reason=reason,
            at=time.time(),
            data=message.data,
        )
        _, tenant, function, *_ = [*message.subject.split("."), "unknown", "unknown"]
        await self._bus.store(subjects.dead(tenant, function), letter, id=f"{self.spec.stream}.{sequence}")
        self._bus.watch.buried(self.spec.stream, sequence, reason)

    async def _keep_up(self) -> None:
        """Signal life for what is held, and ask again where the standing request has been silent for too long."""
        while True:
            await asyncio.sleep(min(self.spec.lease_s / 3, _SIGNAL_S))
            if time.monotonic() - self._heard_at > _REQUEST_S + 2:
                self._asked = 0
            for message in list(self._held.values()):
                with suppress(nats.errors.Error, OSError):
                    await message.in_progress()
            self._ask_soon()

    def _forget_requests(self) -> None:
        self._asked = 0
        self._room.set()
