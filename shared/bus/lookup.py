"""Finding one command in the INVOKE stream, for the moments in which the record does not have it yet."""

import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Invoke
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

# How far the clock of a sender may be from the server's, and how long a command may be under way.
_BEFORE_S = 2.0
_AFTER_S = 10.0
_BATCH = 500
_WAIT_S = 2.0


async def find_command(bus: Bus, *, tenant: str, task_id: str, around: float) -> Delivery[Invoke] | None:
    """The tenant's command with this task id, stored about `around` (Unix seconds), or None.

    Reads headers only, and only the seconds round that moment. Raises Problem(unavailable).
    """
    try:
        sequence = await _scan(bus, tenant=tenant, task_id=task_id, around=around)
        if sequence is None:
            return None
        stored = await bus.stream.get_msg(streams.INVOKE, sequence)
    except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
        raise Problem("unavailable", AWAY) from error
    at = stored.time.timestamp() if stored.time else around
    return Delivery(body=msgspec.json.decode(stored.data or b"", type=Invoke), sequence=sequence, count=1, stored_at=at)


async def _scan(bus: Bus, *, tenant: str, task_id: str, around: float) -> int | None:
    config = ConsumerConfig(
        filter_subject=subjects.invoke(tenant, "*"),
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=datetime.fromtimestamp(around - _BEFORE_S, UTC).isoformat().replace("+00:00", "Z"),  # type: ignore[arg-type]  # nats-py passes it on as JSON
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        inactive_threshold=5,
        mem_storage=True,
        num_replicas=1,
    )
    info = await bus.stream.add_consumer(streams.INVOKE, config)
    pull = await bus.stream.pull_subscribe_bind(consumer=info.name, stream=streams.INVOKE)
    left = info.num_pending or 0
    deadline = time.monotonic() + _WAIT_S
    try:
        while left > 0 and time.monotonic() < deadline:
            batch = await pull.fetch(min(left, _BATCH), timeout=_WAIT_S)
            for message in batch:
                if message.metadata.timestamp.timestamp() > around + _AFTER_S:
                    return None
                if (message.headers or {}).get("Nats-Msg-Id") == task_id:
                    return message.metadata.sequence.stream
            left -= len(batch)
    finally:
        with suppress(nats.errors.Error, APIError):
            await pull.unsubscribe()
            await bus.stream.delete_consumer(streams.INVOKE, info.name)
    return None
