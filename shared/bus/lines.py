"""Lines of calls on their way to those who follow, and who follows. Nothing of it is stored.

Whoever reads them knows by their numbers what was lost on the way.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.domain.line import Line, Missed

LEASE_S = 10.0
"""For so long somebody is believed to follow who has said so."""
RENEW_S = 3.0


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What one run of a call has written since the last time. `run` is one of no other run.

    Numbers below `start` were written before anybody was known to follow. With the end of the run comes how many lines
    there were in all, `total`; else it is -1.
    """

    task_id: str
    run: str
    attempt: int
    start: int
    lines: list[Line]
    missed: list[Missed]
    total: int = -1


class Batch(msgspec.Struct, frozen=True, tag_field="type", tag="lines.v1"):
    """Lines of calls of one function."""

    said: list[Said]


class Followed(msgspec.Struct, frozen=True, tag_field="type", tag="followed.v1"):
    """Somebody follows a function's lines, for `lease_s` from now on."""

    lease_s: float


class Followers(msgspec.Struct, frozen=True, tag_field="type", tag="followers.v1"):
    """Who is followed is asked by `executor`."""

    executor: str


_batch = msgspec.json.Decoder(Batch)
_followed = msgspec.json.Decoder(Followed)


def run_of(executor: str, started: float) -> str:
    """What a run is called: `started` is the moment of its timeline."""
    return f"{executor}.{started * 1e6:.0f}"


def batch_of(data: bytes) -> Batch | None:
    """What came; None for what is none."""
    try:
        return _batch.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def publish(bus: Bus, tenant: str, function_id: int, said: Sequence[Said]) -> bool:
    """Send lines to those who follow; False where the bus is away, and they are lost."""
    if not bus.connected:  # it would keep them until it is back, and with them everybody else's room
        return False
    await bus.send(subjects.lines(tenant, function_id), Batch(list(said)))
    return True


async def ask(bus: Bus, executor: str) -> None:
    """Have those who follow say so."""
    await bus.send(subjects.FOLLOWERS, Followers(executor))


async def hear_followed(bus: Bus, heard: Callable[[str, int, float], None]) -> None:
    """Hear who is followed: tenant, function, and for how many seconds from now on."""

    def received(data: bytes, subject: str) -> None:
        with suppress(msgspec.DecodeError, ValueError):
            heard(*subjects.followed_function(subject), _followed.decode(data).lease_s)

    await bus.hear(subjects.FOLLOWED, received)


class Announcing:
    """Says which functions are followed here, again and again, and at once to an executor that asks."""

    def __init__(self, bus: Bus, followed: Callable[[], Sequence[tuple[str, int]]]) -> None:
        self._bus = bus
        self._followed = followed
        self._asked = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen for executors that ask, and announce for as long as the bus is there."""
        await self._bus.hear(subjects.FOLLOWERS, lambda *_: self._asked.set())
        self._bus.on_return(self._asked.set)
        self._renewing = self._bus.mind(self._renew())

    def close(self) -> None:
        """Say nothing more."""
        self._bus.forget(self._asked.set)
        if self._renewing is not None:
            self._renewing.cancel()

    async def announce(self, tenant: str, function_id: int) -> None:
        """Say it of one."""
        await self._bus.send(subjects.followed(tenant, function_id), Followed(LEASE_S))

    async def _renew(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), timeout=RENEW_S)
            self._asked.clear()
            for tenant, function_id in self._followed():
                await self.announce(tenant, function_id)
