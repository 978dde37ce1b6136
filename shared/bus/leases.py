"""Leases without a leader: of each thing there is one message, the last word on who has it, replaced under a check.

Nobody compares clocks. Who has a lease renews it, and counts on it until `lasts_s`, less a margin, have passed on its
own clock since it *began* to publish the renewal. Who wants it takes it when that renewal has been the last word for
`lasts_s` on its own clock since it *saw* it: that is later, however the two clocks are set. A process that was
stopped, or cut off from the bus, is past its own end when it comes to again, before anybody else begins.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count

import msgspec

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Last
from shared.bus.notices import Lease
from shared.domain.problem import Problem

_MARGIN = 0.25  # of what a lease lasts: in which its owner has to have stopped
_RENEWALS = 3.0  # so many times while it lasts
_AGAIN_S = 0.1  # after a renewal that was not heard of
_RELEASE_S = 2.0
_MOST_SEEN = 100_000  # leases of others that are watched; of more, the one that was longest silent is forgotten
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the former counts while the machine sleeps, too

_LEASE = msgspec.json.Decoder(Lease)


def now_s() -> float:
    """Seconds on a clock that nobody sets."""
    return time.clock_gettime(_CLOCK)


class Held:
    """A lease that this process has. `lost` is set as soon as that is not certain any more; it does not come back.

    The event is set by the loop, which may be late: `is_sure` asks the clock.
    """

    def __init__(self, leases: "Leases", subject: str, *, sequence: int, sure_until: float) -> None:
        self.lost = asyncio.Event()
        self._leases = leases
        self._subject = subject
        self._sequence = sequence
        self._sure_until = sure_until
        self._renewing = leases.bus.mind(self._renew())

    def is_sure(self) -> bool:
        """Whether nobody else can have it now: to be asked before anything that only the owner may do."""
        if not self.lost.is_set() and now_s() >= self._sure_until:
            self._lose()
        return not self.lost.is_set()

    async def release(self) -> None:
        """Let it go: somebody else may take it at once. Nothing happens where it is lost."""
        self._renewing.cancel()
        was_sure = self.is_sure()
        self._lose()
        if was_sure:
            with suppress(Problem, TimeoutError):  # then it runs out
                async with asyncio.timeout(_RELEASE_S):
                    await self._free()

    async def _free(self) -> None:
        try:
            await self._leases.bus.replace(self._subject, self._leases.word(owner=""), last=self._sequence)
        except Problem as problem:  # a renewal was on its way
            if problem.code != "conflict" or not await self._is_ours():
                raise
            await self._leases.bus.replace(self._subject, self._leases.word(owner=""), last=self._sequence)

    def _lose(self) -> None:
        self.lost.set()
        self._leases.let_go(self._subject, self)

    async def _renew(self) -> None:
        every_s = self._leases.lasts_s / _RENEWALS
        wait_s = every_s
        while self.is_sure():
            left_s = self._sure_until - now_s()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait_s, left_s)):
                    await self.lost.wait()
            if not self.is_sure():
                break
            wait_s = every_s if await self._renewed() else _AGAIN_S
        self._lose()

    async def _renewed(self) -> bool:
        """One attempt, given up when the lease is over."""
        began = now_s()
        try:
            async with asyncio.timeout(max(0.0, self._sure_until - began)):
                self._sequence = await self._leases.bus.replace(
                    self._subject, self._leases.word(owner=self._leases.owner), last=self._sequence
                )
        except Problem as problem:
            if problem.code == "conflict":
                await self._look()
            return False
        except TimeoutError:
            return False
        self._sure_until = began + self._leases.counted_s
        return True

    async def _look(self) -> None:
        """Somebody was first: another owner, or we ourselves, by a renewal that was stored and never acknowledged."""
        with suppress(Problem, TimeoutError):
            async with asyncio.timeout(max(0.0, self._sure_until - now_s())):
                if not await self._is_ours():
                    self._lose()

    async def _is_ours(self) -> bool:
        last = await self._leases.bus.last(streams.LEASES, self._subject, Lease)
        if last is None or last.body.owner != self._leases.owner:
            return False
        self._sequence = last.sequence
        return True


class Leases:
    """Takes leases for `owner`, a name that no other process has. `lasts_s` is how long one lasts unrenewed."""

    def __init__(self, bus: Bus, owner: str, lasts_s: float) -> None:
        self.bus = bus
        self.owner = owner
        self.lasts_s = lasts_s
        self._held: dict[str, Held] = {}
        self._taking: set[str] = set()
        self._numbers = count(1)
        self._seen: dict[str, tuple[str, int, float]] = {}  # owner and number of the last word, and since when we know
        self._told: list[Callable[[], None]] = []

    @property
    def counted_s(self) -> float:
        """How long an owner counts on a renewal."""
        return self.lasts_s * (1 - _MARGIN)

    @asynccontextmanager
    async def at_hand(self) -> AsyncIterator[None]:
        """Watch the leases of others for as long as the block runs, then release all."""
        await self.bus.hear(subjects.LEASES, self._heard)
        try:
            yield
        finally:
            await asyncio.gather(*(held.release() for held in list(self._held.values())))

    def on_free(self, call: Callable[[], None]) -> None:
        """Have `call` run whenever somebody lets a lease go."""
        self._told.append(call)

    def held(self) -> int:
        """How many this process has."""
        return len(self._held)

    def seems_free(self, what: str, name: str) -> bool:
        """Whether it is worth asking for: nobody has been heard to have it lately."""
        subject = subjects.lease(what, name)
        return subject not in self._held and not self._is_renewed(subject)

    async def take(self, what: str, name: str) -> Held | None:
        """The lease, where nobody has it, or its owner has not been heard of for long enough. Raises unavailable.

        Who has lost one must have stopped before it asks for it again.
        """
        subject = subjects.lease(what, name)
        if subject in self._held or subject in self._taking or self._is_renewed(subject):
            return None
        self._taking.add(subject)
        try:
            last = await self.bus.last(streams.LEASES, subject, Lease)
            if last is not None and not self._is_over(subject, last.body):
                return None
            return await self._taken(subject, last)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            return None  # somebody else was first
        finally:
            self._taking.discard(subject)

    async def _taken(self, subject: str, last: Last[Lease] | None) -> Held:
        began = now_s()
        sequence = await self.bus.replace(subject, self.word(owner=self.owner), last=last.sequence if last else 0)
        self._seen.pop(subject, None)
        held = Held(self, subject, sequence=sequence, sure_until=began + self.counted_s)
        self._held[subject] = held
        return held

    def word(self, *, owner: str) -> Lease:
        """A word on a lease that was never said before: also one that was lost on its way is known from the next."""
        return Lease(owner=owner, lasts_s=self.lasts_s, number=next(self._numbers))

    def let_go(self, subject: str, held: Held) -> None:
        """It is not ours any more."""
        if self._held.get(subject) is held:
            del self._held[subject]

    def _is_renewed(self, subject: str) -> bool:
        """Whether it was heard of so lately that it need not be asked for. No more: what is heard may not be stored."""
        owner, _, since = self._seen.get(subject, ("", 0, 0.0))
        return bool(owner) and now_s() - since < self.lasts_s

    def _is_over(self, subject: str, word: Lease) -> bool:
        """Whether it is free, or this word on it has been known for as long as it lasts."""
        if word.owner in ("", self.owner):  # what we have lost and nobody has taken may be taken again
            return True
        owner, number, since = self._seen.get(subject, ("", 0, 0.0))
        if (owner, number) != (word.owner, word.number):
            self._see(subject, word)
            return False
        return now_s() - since >= word.lasts_s

    def _see(self, subject: str, word: Lease) -> None:
        self._seen.pop(subject, None)
        self._seen[subject] = (word.owner, word.number, now_s())
        if len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    def _heard(self, data: bytes, subject: str) -> None:
        try:
            word = _LEASE.decode(data)
        except msgspec.DecodeError:
            return  # of another version; what is stored is looked at before anything is taken
        if word.owner == self.owner:
            return
        if word.owner:
            self._see(subject, word)
        else:
            self._seen.pop(subject, None)
            for call in self._told:
                call()
