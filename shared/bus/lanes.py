"""The lanes of executor pools: each tenant's work has a queue of its own, so that none stands behind another's.

A lane is one subject of WORK, with a consumer of its own, which all executors share. Which lanes have work is known by
a look at the stream, every second, and by a notice of whoever put some into one that had none; a lane that has had none
for a while is closed. What the consumer may have handed out at once bounds what runs of the lane, everywhere together.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
import nats.errors
from nats.js.errors import APIError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.consumer import PullConsumer
from shared.bus.messages import Queued
from shared.bus.room import Part, Shared
from shared.bus.subjects_in import subjects_in
from shared.domain.problem import Problem

MOST_OPEN = 1000
"""Lanes of a pool that are open at once in one process; where more have work they take turns."""

_LOOK_S = 1.0
_BLIND_S = 10.0  # without a look for so long, lanes may wait unseen
_TURN_S = 5.0  # a lane that others wait for stays open for so long at least
_CHECK_S = 30.0  # between two looks at a lane's bound, should a notice be lost
_AT_ONCE = 32  # consumers that are made side by side
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)
_SUBJECT_TOKENS = 4  # those of before had three, and a consumer for all of them


class LaneKey(NamedTuple):
    """Whose lane it is. `name` is `subjects.ALL` or `CALLED`, or the id of the function that it is for."""

    pool: str
    tenant: str
    name: str

    @classmethod
    def of(cls, subject: str) -> "LaneKey":
        """That of a subject of WORK."""
        _, pool, tenant, *name = subject.split(".")
        return cls(pool, tenant, name[0] if name else subjects.ALL)


def _nothing() -> None:
    return


class Pool(NamedTuple):
    """What is done with the work of a pool: `handle` and `given_up` are those of `PullConsumer`.

    When `stop` has been called, `handle` begins nothing more, and hands back what it has not begun.

    `in_hand` of it is held by this process, of which `ahead` waits for a slot; `slots` of one lane can run here.
    """

    name: str
    body: Any
    handle: Any
    given_up: Any
    slots: int
    ahead: int
    lease_s: float
    stop: Callable[[], None] = _nothing


Bound = Callable[[LaneKey], Awaitable[int | None]]
"""How much of a lane may be handed out, everywhere together; None where that cannot be known now."""


class _Lane:
    """An open lane."""

    def __init__(self, bus: Bus, subject: str, of: "_OpenPool", bound: Bound, *, making: asyncio.Semaphore) -> None:
        pool = of.pool
        self.key = LaneKey.of(subject)
        self.part = Part(of.room, self.look, most=of.room.in_hand)
        self.opened_at = time.monotonic()
        self.checked_at = self.opened_at
        self._bus = bus
        self._slots = pool.slots
        self._bound = bound
        self._making = making
        self._has_one_before = subject.count(".") + 1 < _SUBJECT_TOKENS
        self._spec = streams.lane(subject, lease_s=pool.lease_s, in_hand=of.room.in_hand)
        self.consumer: PullConsumer[Any] = PullConsumer(
            bus, self._spec, body=pool.body, handle=pool.handle, given_up=pool.given_up, room=self.part,
            ensure=self.ensure,
        )  # fmt: skip

    def look(self) -> None:
        """There may be more room."""
        self.consumer.look()

    async def ensure(self) -> int:
        """Make the consumer, or bring its bound up to date; what it has of before is doubted: `StandingPull`."""
        self.checked_at = time.monotonic()
        async with self._making:
            if self._has_one_before:
                await self._bus.forget_consumer(streams.WORK, streams.pool_before_lanes(self.key.pool))
            most = await self._bound(self.key)
            if most is None:
                most = await self._bus.unsettled(self._spec.stream, self._spec.name)
            if most is None:
                most = 1 if self.key.name.isdecimal() else streams.UNBOUNDED
            spec = msgspec.structs.replace(self._spec, unsettled=most)
            made_at = await self._bus.ensure_consumer(spec)
        # Of what is bounded everywhere together nobody holds more than it can run.
        self.part.most = self._spec.in_hand if most == streams.UNBOUNDED else min(most, self._slots)
        # What an earlier consumer of the lane had handed out was stored before that one was forgotten.
        return int((made_at - (0 if self._has_one_before else self._spec.unused_s)) * 1e9)

    async def check(self) -> None:
        """Bring the bound up to date; if that cannot be now, then a little later."""
        try:
            await self.ensure()
        except (*_FAULTS, Problem) as error:
            self._bus.watch.trouble("cannot bound a lane", lane=self._spec.subject, error=str(error))
            return
        self.look()


class _OpenPool:
    """A pool, and its lanes that are open, by subject: the longest open first."""

    def __init__(self, pool: Pool, *, message_bytes: int) -> None:
        self.pool = pool
        self.room = Shared(pool.slots + pool.ahead, chunk=max(1, pool.ahead // 2), message_bytes=message_bytes)
        self.lanes: dict[str, _Lane] = {}
        self.depth = 0


class Lanes:
    """Calls each pool's `handle` for what is queued in any of its lanes. Closes one without work after `idle_s`."""

    def __init__(
        self, bus: Bus, pools: list[Pool], *, bound: Bound, idle_s: float = 60.0, most_open: int = MOST_OPEN
    ) -> None:
        self._bus = bus
        self._bound = bound
        self._idle_s = idle_s
        self._most_open = most_open
        self._making = asyncio.Semaphore(_AT_ONCE)
        size = bus.client.max_payload
        self._pools = {pool.name: _OpenPool(pool, message_bytes=size) for pool in pools}
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0.0
        self._stopping = False

    async def looking(self) -> bool:
        """Whether lanes that have work are seen: a check for readiness."""
        return time.monotonic() - self._looked_at < _BLIND_S

    def open(self, pool: str) -> int:
        """How many lanes of a pool are open here."""
        return len(self._pools[pool].lanes)

    def depth(self, pool: str) -> int:
        """How much work of a pool was queued or in hand, everywhere together, at the last look."""
        return self._pools[pool].depth

    async def start(self) -> None:
        """Open the lanes that have work, and from now on each that gets some."""
        for name in self._pools:
            await self._forget_one_before(name)
            await self._bus.hear(subjects.queued(name), self._noticed)
        await self._look()
        self._looking = self._bus.mind(self._keep_looking())

    async def _forget_one_before(self, pool: str) -> None:
        """However long the bus takes to choose a server: beside that consumer no lane can have one."""
        while True:
            try:
                return await self._bus.forget_consumer(streams.WORK, streams.pool_before_lanes(pool))
            except _FAULTS as error:
                self._bus.watch.trouble("cannot look for work", problem=str(error))
            await asyncio.sleep(_LOOK_S)

    async def stop(self, *, grace_s: float) -> None:
        """Take no more, let what runs finish for up to `grace_s`, and hand the rest back at once."""
        self._stopping = True
        if self._looking is not None:
            self._looking.cancel()
        lanes = [lane for pool in self._pools.values() for lane in pool.lanes.values()]
        await asyncio.gather(*(lane.consumer.quit() for lane in lanes))  # or what is handed back would come again
        for pool in self._pools.values():
            pool.pool.stop()
        await asyncio.gather(*(lane.consumer.stop(grace_s=grace_s) for lane in lanes))

    async def changed(self, tenant: str, *, functions: bool = False) -> None:
        """The bounds of a tenant's lanes may be others now, or only those of its functions' own."""
        lanes = [
            lane
            for pool in self._pools.values()
            for lane in pool.lanes.values()
            if lane.key.tenant == tenant and not (functions and lane.key.name in (subjects.ALL, subjects.CALLED))
        ]
        await asyncio.gather(*(lane.check() for lane in lanes))

    def _noticed(self, data: bytes, _subject: str) -> None:
        subject = msgspec.json.decode(data, type=Queued).lane
        pool = self._pools.get(LaneKey.of(subject).pool)
        if pool is None:
            return
        if subject in pool.lanes:
            pool.lanes[subject].part.resting = False
            pool.lanes[subject].look()
        elif len(pool.lanes) < self._most_open and not self._stopping:
            self._bus.mind(self._open(pool, subject))

    async def _open(self, pool: _OpenPool, subject: str) -> None:
        if subject in pool.lanes:
            return
        lane = pool.lanes[subject] = _Lane(self._bus, subject, pool, self._bound, making=self._making)
        await lane.consumer.start()

    async def _close(self, pool: _OpenPool, subject: str) -> None:
        lane = pool.lanes.pop(subject)
        lane.part.close()
        await lane.consumer.stop(grace_s=0)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._look()
            for pool in self._pools.values():
                await self._tidy(pool)

    async def _look(self) -> None:
        """Open what has work and is not open; where too many have, those that were open for long make room."""
        try:
            found = await subjects_in(self._bus, streams.WORK, subjects.WORK)
        except Problem as problem:
            self._bus.watch.trouble("cannot look for work", problem=problem.message)
            return
        self._looked_at = time.monotonic()
        for pool in self._pools.values():
            pool.depth = 0
        waiting: dict[str, list[str]] = {}
        for subject, count in found.items():
            name = LaneKey.of(subject).pool
            if name in self._pools:
                self._pools[name].depth += count
                if subject not in self._pools[name].lanes:
                    waiting.setdefault(name, []).append(subject)
        for name, unopened in waiting.items():
            await self._give_turns(self._pools[name], unopened)

    async def _give_turns(self, pool: _OpenPool, unopened: list[str]) -> None:
        free = max(0, self._most_open - len(pool.lanes))
        for subject in unopened[:free]:
            await self._open(pool, subject)
        now = time.monotonic()
        for lane in list(pool.lanes.values())[: len(unopened) - free]:
            if now - lane.opened_at > _TURN_S:
                lane.part.leaving = lane.part.resting = True

    async def _tidy(self, pool: _OpenPool) -> None:
        now = time.monotonic()
        for subject, lane in list(pool.lanes.items()):
            lane.part.doze(now)
            if now - lane.part.came_at > self._idle_s:
                lane.part.resting = True
            if lane.part.resting and lane.consumer.quiet:
                await self._close(pool, subject)
            elif now - lane.checked_at > _CHECK_S and not lane.part.resting:
                self._bus.mind(lane.check())
