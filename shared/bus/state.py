"""How the bus stands: what its streams hold, what waits in them, and what is in whose hands. For the metrics.

Lanes are thousands, so they are added up by pool. The consumers of readers that keep their place themselves come and go
under names of their own, and are not told of.
"""

import asyncio
import time
from collections import Counter
from datetime import datetime

import msgspec
import nats.errors
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.consumers_in import consumers_in
from shared.bus.lanes import LaneKey
from shared.bus.publisher import AWAY
from shared.bus.subjects_in import subjects_in
from shared.domain.function import POOLS
from shared.domain.problem import Problem

NAMES = frozenset(
    {
        streams.INVOKE,
        streams.WORK,
        streams.EVENTS,
        streams.DEAD,
        streams.RATES,
        streams.DELIVERIES,
        streams.LEASES,
        streams.CANCELS,
        streams.KEYS,
        streams.STARTS,
        streams.SCHEDULES,
    }
)
"""The platform's streams: those of others on the same servers are not told of."""

_READERS = ((streams.INVOKE, streams.ROUTER), (streams.SCHEDULES, streams.SCHEDULER))
_MOST_ASKED = 8  # lanes, for the oldest message of a pool
_WITHIN_S = 10.0  # all of a look
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError, msgspec.ValidationError, KeyError, ValueError)


class Held(msgspec.Struct, frozen=True):
    """What a stream holds, and the sequence of its newest message."""

    messages: int = 0
    bytes: int = 0
    last_seq: int = 0


class Reader(msgspec.Struct, frozen=True):
    """How far a consumer is: so many messages wait for it, and so many were handed out and are not settled."""

    pending: int = 0
    unacknowledged: int = 0


class BusState(msgspec.Struct, frozen=True, kw_only=True):
    """A look at the bus. `pools` has the lanes of each pool together, `oldest_s` how long the first that waits has.

    `later` waits for its moment to come. `readers` are by stream and consumer.
    """

    held: dict[str, Held]
    readers: dict[tuple[str, str], Reader]
    pools: dict[str, Reader]
    oldest_s: dict[str, float]
    later: int


NOTHING = BusState(held={}, readers={}, pools={}, oldest_s={}, later=0)
"""Of no bus at all."""


class _Config(msgspec.Struct, frozen=True):
    name: str = ""


class _Stream(msgspec.Struct, frozen=True):
    config: _Config
    state: Held


class _Streams(msgspec.Struct, frozen=True):
    total: int
    streams: list[_Stream] | None = None


class _Lane(msgspec.Struct, frozen=True):
    """A lane: what waits in it, what of it is in hand, and behind which sequence what waits begins."""

    subject: str
    waiting: int
    in_hand: int
    after: int = 0


async def look(bus: Bus) -> BusState:
    """Ask the servers. Raises Problem(unavailable)."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            held, lanes = await asyncio.gather(_held(bus), _lanes(bus))
            found = await asyncio.gather(*(_reader(bus, *of) for of in _READERS))
            pools, oldest_s = _summed(lanes), await _oldest(bus, lanes)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    queued = sum(lane.waiting + lane.in_hand for lane in lanes)
    return BusState(
        held=held,
        readers=dict(zip(_READERS, found, strict=True)),
        pools=pools,
        oldest_s=oldest_s,
        later=max(0, held.get(streams.WORK, Held()).messages - queued),
    )


async def _held(bus: Bus) -> dict[str, Held]:
    found: list[_Stream] = []
    while True:
        answer = await bus.client.request("$JS.API.STREAM.LIST", b'{"offset":%d}' % len(found), timeout=bus.timeout_s)
        page = msgspec.json.decode(answer.data, type=_Streams)
        found.extend(page.streams or [])
        if not page.streams or len(found) >= page.total:
            return {one.config.name: one.state for one in found if one.config.name in NAMES}


async def _reader(bus: Bus, stream: str, consumer: str) -> Reader:
    try:
        info = await bus.stream.consumer_info(stream, consumer)
    except NotFoundError:
        return Reader()  # nobody has read it yet
    return Reader(info.num_pending or 0, info.num_ack_pending or 0)


async def _lanes(bus: Bus) -> list[_Lane]:
    """Those that have work; one that no executor has opened yet has all of it waiting."""
    found = {
        one.subject: _Lane(one.subject, one.pending, one.unacknowledged, one.delivered)
        for one in await consumers_in(bus, streams.WORK)
    }
    for name, count in (await subjects_in(bus, streams.WORK, subjects.WORK)).items():
        found.setdefault(name, _Lane(name, count, 0))
    return [lane for lane in found.values() if lane.waiting or lane.in_hand]


def _summed(lanes: list[_Lane]) -> dict[str, Reader]:
    waiting, in_hand = Counter[str](), Counter[str]()
    for lane in lanes:
        pool = LaneKey.of(lane.subject).pool
        waiting[pool] += lane.waiting
        in_hand[pool] += lane.in_hand
    return {pool: Reader(waiting[pool], in_hand[pool]) for pool in POOLS}


async def _oldest(bus: Bus, lanes: list[_Lane]) -> dict[str, float]:
    """For each pool how long the first that waits has, seconds; 0 where nothing does.

    Lanes are asked in the order in which they may have it, up to one that cannot have an older one; a few of them.
    """
    by_pool: dict[str, list[_Lane]] = {pool: [] for pool in POOLS}
    for lane in lanes:
        if lane.waiting:
            by_pool.get(LaneKey.of(lane.subject).pool, []).append(lane)
    oldest: dict[str, float] = {}
    for pool, waiting in by_pool.items():
        waiting.sort(key=lambda lane: lane.after)
        first, at = 0, 0.0
        for lane in waiting[:_MOST_ASKED]:
            if first and lane.after >= first:
                break
            sequence, stored = await _first(bus, lane)
            if sequence and (not first or sequence < first):
                first, at = sequence, stored
        oldest[pool] = max(0.0, time.time() - at) if first else 0.0
    return oldest


async def _first(bus: Bus, lane: _Lane) -> tuple[int, float]:
    """The sequence of the first message that waits in a lane, and when it was stored; 0 where it is gone by now."""
    request = msgspec.json.encode({"seq": lane.after + 1, "next_by_subj": lane.subject})
    answer = await bus.client.request(f"$JS.API.DIRECT.GET.{streams.WORK}", request, timeout=bus.timeout_s)
    headers = answer.headers or {}
    if "Nats-Sequence" not in headers:
        return 0, 0.0
    return int(headers["Nats-Sequence"]), datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
