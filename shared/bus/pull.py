"""Pulling from a durable consumer, message by message.

What is held is kept alive by in-progress signals until it is settled; a process that dies stops signalling, and its
messages are handed to someone else after the lease.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg

from shared.bus.absence import Absence
from shared.bus.broker import Bus
from shared.bus.delivery import Done, Drop, Later, Verdict
from shared.bus.graveyard import bury_dropped
from shared.bus.place import Place
from shared.bus.requests import Requests
from shared.bus.room import Own, Room
from shared.bus.settled import Settled
from shared.bus.streams import Consumer
from shared.domain.problem import Problem

REDELIVERY_S = 1.0  # after a fault of ours, or of the infrastructure
_SAID_AGAIN = 2000  # acknowledgements: more than are sent while a consumer has no server
_DONE = b"+ACK"
_KEPT = 4.0  # leases, for which what was settled is known again: it is handed out anew when one is over
_SIGNAL_S = 5.0  # in-progress signals at least this often, and thrice a lease


class StandingPull:
    """Calls `arrived` for each message; whoever takes it must `settle` it in the end, by its sequence.

    `room` is that of the consumer alone where none is given. `ensure` makes the consumer, and says which messages may
    have been handed out by one before it: those that were stored before this moment, Unix nanoseconds.
    """

    def __init__(
        self,
        bus: Bus,
        spec: Consumer,
        arrived: Callable[[Msg, Place], None],
        *,
        room: Room | None = None,
        ensure: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self.spec = spec
        self._bus = bus
        self._deliver = arrived
        self._ensure = ensure or self._make
        self._room = room or Own(spec.in_hand, spec.least)
        self._requests = Requests(
            bus, room=self._room, arrived=self._arrived, revive=self._revive, lost=self._say_again
        )
        self._doubted_ns = 0
        self._held: dict[int, Msg] = {}  # by sequence; not settled yet: kept alive
        self._released: set[int] = set()  # of these, the ones that take no room any more
        self._lapsed: set[int] = set()  # of these, the ones whose lease may have run out before anything was done
        self._absence = Absence(spec.lease_s) if spec.fenced else None
        self._settled = Settled(kept_s=_KEPT * spec.lease_s)
        self._stale = False  # what comes now may have come long ago
        self._upkeep: asyncio.Task[None] | None = None

    @property
    def pulling(self) -> bool:
        """Whether messages come when there are any."""
        return self._requests.pulling

    @property
    def quiet(self) -> bool:
        """Whether nothing is held, and nothing is asked for."""
        return not self._held and self._requests.quiet

    async def start(self) -> None:
        """Create the consumer and begin to pull."""
        await self._requests.start()
        self._upkeep = self._bus.mind(self._keep_up())

    def look(self) -> None:
        """There may be more room than before."""
        self._requests.look()

    async def stop(self) -> None:
        """Take no more. What is held stays alive until `hand_back`."""
        await self._requests.stop()

    async def hand_back(self) -> None:
        """Give what is still held to someone else, at once."""
        if self._upkeep is not None:
            self._upkeep.cancel()
        for sequence in list(self._held):
            await self.settle(sequence, Later(0.0))

    async def settle(self, sequence: int, verdict: Verdict) -> None:
        """Acknowledge, hand back, or bury; then there is room for another. A bus that is away will deliver it again."""
        message = self._held[sequence]
        try:
            match verdict:
                case Done():
                    self._settled.add(message)
                    await self._bus.client.publish(message.reply, _DONE)
                case Later() if sequence in self._lapsed:
                    pass  # to hand it back would take it from whoever has it now
                case Later(delay_s=delay_s):
                    await message.nak(delay=delay_s or None)
                case Drop(reason=reason):
                    await bury_dropped(self._bus, message, stream=self.spec.stream, reason=reason)
                    await message.term()
        except (nats.errors.Error, OSError, Problem):
            self._bus.watch.trouble("could not settle", stream=self.spec.stream)
        self.release(sequence)
        self._held.pop(sequence, None)
        self._released.discard(sequence)
        self._lapsed.discard(sequence)

    def is_ours(self, sequence: int) -> bool:
        """Whether what is held may be begun: its lease has not run out unnoticed."""
        self._look_back()
        return sequence not in self._lapsed

    def release(self, sequence: int) -> None:
        """This one takes no room any more, though it may not be settled yet."""
        if sequence in self._held and sequence not in self._released:
            self._released.add(sequence)
            self._requests.room_made(self._held[sequence])

    def _say_again(self) -> None:
        """What was settled of late may not have been heard of: by a server that died, or over a connection that broke.

        It is said before anybody can be given it again.
        """
        if self._bus.connected and (replies := self._settled.last(_SAID_AGAIN)):
            self._bus.mind(self._acknowledge(replies))

    async def _acknowledge(self, replies: list[str]) -> None:
        with suppress(nats.errors.Error, OSError):
            for reply in replies:
                await self._bus.client.publish(reply, _DONE)

    async def _make(self) -> int:
        await self._bus.ensure_consumer(self.spec)
        return 0

    async def _revive(self) -> str:
        self._doubted_ns = await self._ensure()
        await self._signal()  # after an outage: what is held is not to be handed to anyone else
        return f"{self.spec.stream}.{self.spec.name}"

    def _look_back(self) -> None:
        """After an absence, give up what was held, and what had come meanwhile: it is, or will be, handed out again.

        What had begun goes on, for nobody knows how far it is.
        """
        if self._absence is not None and self._absence.over():
            self._lapsed |= self._held.keys()
            self._stale = True
            self._bus.watch.trouble("was away, leases may have run out", stream=self.spec.stream, held=len(self._held))
            self._bus.mind(self._freshen())

    async def _freshen(self) -> None:
        """All that the server had sent before has come when it answers; while it does not, nothing comes at all."""
        with suppress(nats.errors.Error, OSError, TimeoutError):
            await asyncio.wait_for(self._bus.client.flush(), self._bus.timeout_s)
        self._stale = False

    def _arrived(self, message: Msg) -> None:
        self._look_back()
        place = Place.of(message)
        if self._stale and place.sequence not in self._held:
            self._requests.room_made(message)
            return
        if self._settled.knows(place):  # the acknowledgement was lost: it is not to be done twice
            self._requests.room_made(message)
            self._bus.mind(self._acknowledge([message.reply]))
            return
        if place.time_ns < self._doubted_ns:
            place = place._replace(delivery=place.delivery + 1)
        if place.delivery > 1:
            self._bus.watch.redelivered(self.spec.stream)
        if place.sequence in self._held:  # our lease ran out, but we are at it: this is what to acknowledge now
            self._requests.room_made(message)
            self._held[place.sequence] = message
            return
        self._held[place.sequence] = message
        self._deliver(message, place)

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(min(self.spec.lease_s / 3, _SIGNAL_S))
            self._look_back()
            self._requests.check()
            await self._signal()

    async def _signal(self) -> None:
        """Signal life for what is held."""
        for message in list(self._held.values()):
            with suppress(nats.errors.Error, OSError):
                await message.in_progress()
