"""How much a tenant, or a function, may have queued: whoever asks for more is told to come back later.

What is queued is known by a look at the bus, once a second at most and only while calls come in, more often where it is
more than half of a cap. What was accepted here since the last look is counted on top, though it may be over by now: so
a cap may be passed by what other replicas accept in that time, and one that is less than what comes in it is too small.
"""

import time
from collections import Counter, deque
from collections.abc import Hashable

import msgspec

from shared.bus import backlog, streams, subjects
from shared.bus.broker import Bus
from shared.bus.lanes import LaneKey
from shared.bus.subjects_in import subjects_in
from shared.domain.concurrency import max_queued_of
from shared.domain.function import Function
from shared.domain.problem import Problem

_LOOK_S = 1.0
_CLOSE_LOOK_S = 0.1
_CLOSE = 0.5  # of a cap: from here on it is looked at more often
_AGAIN_S = 5  # what is queued gets less all the time, and there is no telling how fast
_MOST_ROUNDS = 60  # of what was accepted and is not routed; with a router that is away they are put together


class _Round(msgspec.Struct):
    """What was accepted here between two looks: by tenant, and by tenant and function; up to a sequence of INVOKE."""

    accepted: Counter[Hashable]
    last: int = 0


class QueueCaps:
    """Refuses what would be queued beyond `per_tenant`, or beyond the function's own `max_queued`."""

    def __init__(self, bus: Bus, *, per_tenant: int) -> None:
        self._bus = bus
        self._per_tenant = per_tenant
        self._queued: Counter[Hashable] = Counter()  # at the last look
        self._unrouted: Counter[Hashable] = Counter()  # the sum of the rounds
        self._rounds: deque[_Round] = deque([_Round(Counter())])
        self.looked_at = -_LOOK_S
        self._is_looking = False

    def check(self, function: Function) -> None:
        """Raises Problem(rate_limited) where the queue is full."""
        most = max_queued_of(function.config)
        full = self._length(function.tenant) / self._per_tenant
        own = self._length((function.tenant, function.id)) / most if most else 0.0
        age_s = time.monotonic() - self.looked_at
        if not self._is_looking and age_s >= (_CLOSE_LOOK_S if max(full, own) >= _CLOSE else _LOOK_S):
            self._is_looking = True
            self._bus.mind(self._look())
        if full >= 1:
            raise _full(f"{self._per_tenant} calls are queued already")
        if own >= 1:
            raise _full(f"{most} calls of '{function.slug}' are queued already")

    def accepted(self, function: Function, sequence: int) -> None:
        """A call was stored, with this sequence in INVOKE."""
        latest = self._rounds[-1]
        latest.last = max(latest.last, sequence)
        for of in (function.tenant, (function.tenant, function.id)):
            latest.accepted[of] += 1
            self._unrouted[of] += 1

    def _length(self, of: Hashable) -> int:
        return self._queued[of] + self._unrouted[of]

    async def _look(self) -> None:
        """With the bus away nothing can be stored, and what is known serves on."""
        try:
            routing = await backlog.routing(self._bus)
            found = await subjects_in(self._bus, streams.WORK, subjects.WORK)
        except Problem:
            return
        finally:
            self.looked_at, self._is_looking = time.monotonic(), False
        queued: Counter[Hashable] = Counter()
        for subject, count in found.items():
            lane = LaneKey.of(subject)
            queued[lane.tenant] += count
            if lane.name.isdecimal():
                queued[lane.tenant, int(lane.name)] += count
        self._queued = queued
        self._forget(routing)

    def _forget(self, routing: backlog.Routing) -> None:
        """What is routed by now is in WORK, or over.

        One command that the router cannot decide now holds up how far it is, not those behind it: of what was accepted
        before the last look there is no more left than waits for the router.
        """
        while self._rounds and self._rounds[0].last <= routing.floor:
            self._rounds.popleft()
        if len(self._rounds) > _MOST_ROUNDS:
            oldest, next_ = self._rounds.popleft(), self._rounds[0]
            next_.accepted += oldest.accepted
        *former, latest = (one.accepted for one in self._rounds or [_Round(Counter())])
        before = sum(former, Counter())
        if routing.floor:  # else there may be no router yet, of which nothing is known
            before = Counter({of: min(count, routing.waiting) for of, count in before.items()})
        self._unrouted = before + latest
        self._rounds.append(_Round(Counter()))


def _full(sentence: str) -> Problem:
    return Problem("rate_limited", f"{sentence}; try again in {_AGAIN_S} seconds", retry_after_s=_AGAIN_S)
