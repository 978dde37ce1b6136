"""What waits for executors, and what they have: of a tenant, or to the operator of the whole platform."""

import asyncio
import time
from typing import NamedTuple

from services.api.core.rights import is_operator, must_read
from shared.bus import streams, subjects
from shared.bus.backlog import in_hand, routing, stored
from shared.bus.broker import Bus
from shared.bus.lanes import LaneKey
from shared.bus.publisher import AWAY
from shared.bus.subjects_in import subjects_in
from shared.domain.caller import Caller
from shared.domain.problem import Problem

_FRESH_S = 1.0  # who asks more often, or together with others, is told the same


class Pool(NamedTuple):
    """Calls of a pool: `queued` for an executor, and `in_hand` of one: they run, or are about to."""

    name: str
    queued: int
    in_hand: int


class Waiting(NamedTuple):
    """What waits of `tenant`, or of all where it is None.

    Then `unrouted` commands have not been routed yet, and `delayed` calls are put off until their moment.
    """

    tenant: str | None
    pools: list[Pool]
    unrouted: int | None = None
    delayed: int | None = None


class _Look(NamedTuple):
    at: float
    stored: dict[str, int]
    taken: dict[str, int]


class Queues:
    """Looks at the bus at most once a second, however many ask."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock = asyncio.Lock()
        self._look = _Look(float("-inf"), {}, {})
        self._away_until = float("-inf")

    async def shown(self, caller: Caller) -> Waiting:
        """The queues that concern a caller. Raises Problem(forbidden, unavailable)."""
        must_read(caller)
        look = await self._looked()
        if is_operator(caller):
            delayed = max(0, await stored(self._bus) - sum(look.stored.values()))
            return Waiting(None, pools(look.stored, look.taken), (await routing(self._bus)).waiting, delayed)
        return Waiting(caller.tenant, pools(look.stored, look.taken, tenant=caller.tenant))

    async def _looked(self) -> _Look:
        async with self._lock:
            if time.monotonic() - self._look.at < _FRESH_S:
                return self._look
            if time.monotonic() < self._away_until:  # who waited for the one that asked does not wait as long again
                raise Problem("unavailable", AWAY)
            try:
                found = await subjects_in(self._bus, streams.WORK, subjects.WORK)
                self._look = _Look(time.monotonic(), found, await in_hand(self._bus))
            except Problem:
                self._away_until = time.monotonic() + _FRESH_S
                raise
            return self._look


def pools(stored: dict[str, int], taken: dict[str, int], *, tenant: str | None = None) -> list[Pool]:
    """Lanes with how many calls each has, and how many of them are handed out, by pool."""
    found: dict[str, Pool] = {}
    for subject, count in stored.items():
        key = LaneKey.of(subject)
        if tenant is None or key.tenant == tenant:
            held = min(taken.get(subject, 0), count)
            before = found.get(key.pool, Pool(key.pool, 0, 0))
            found[key.pool] = Pool(key.pool, before.queued + count - held, before.in_hand + held)
    return [found[name] for name in sorted(found)]
