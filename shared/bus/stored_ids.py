"""Which messages the INVOKE stream has, by their ids, however long ago they were stored."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.publisher import AWAY, MESSAGE_ID
from shared.domain.problem import Problem

_BATCH = 500
_UNUSED_S = 30.0  # the server forgets the consumer after so long a silence
_TIDY_S = 0.5
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


async def stored_ids(bus: Bus, subject: str, ids: Collection[str], *, after: int, upto: int) -> set[str]:
    """Which of these are on a subject of INVOKE, behind the sequence `after` and not behind `upto`.

    Reads the headers of all that is there between, until each is found. Raises Problem(unavailable).
    """
    if upto <= after or not ids:
        return set()
    try:
        return await _scanned(bus, subject, ids, after=after, upto=upto)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error


async def _scanned(bus: Bus, subject: str, ids: Collection[str], *, after: int, upto: int) -> set[str]:
    config = ConsumerConfig(
        filter_subject=subject,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        inactive_threshold=_UNUSED_S,
        mem_storage=True,
        num_replicas=1,
    )
    info = await bus.stream.add_consumer(streams.INVOKE, config)
    pull = await bus.stream.pull_subscribe_bind(consumer=info.name, stream=streams.INVOKE)
    left, found = info.num_pending or 0, set[str]()
    try:
        while left > 0 and len(found) < len(ids):
            batch = await pull.fetch(min(left, _BATCH), timeout=bus.timeout_s)
            kept = [message for message in batch if message.metadata.sequence.stream <= upto]
            found |= {id for message in kept if (id := (message.headers or {}).get(MESSAGE_ID, "")) in ids}
            left = left - len(batch) if len(kept) == len(batch) else 0
    finally:
        # The server forgets the consumer by itself after a while: a fault here changes nothing of what was found.
        with suppress(*_FAULTS):
            async with asyncio.timeout(_TIDY_S):
                await pull.unsubscribe()
                await bus.stream.delete_consumer(streams.INVOKE, info.name)
    return found
