"""Finding one command in the INVOKE stream, or one end, for the moments in which the record does not have it yet."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RawStreamMsg
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished, Invoke
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

# A command is stored when its id is made, but for the difference of two clocks. Seconds from the one to the other, the
# likely ones first: the last window is for a sender whose clock runs far ahead.
_WINDOWS_S = ((-0.25, 30.0), (-2.0, -0.25), (-30.0, -2.0))
_BATCH = 500
_WAIT_S = 2.0  # for all windows together
_TIDY_S = 0.5
_MESSAGE_ID = "Nats-Msg-Id"
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


async def find_command(bus: Bus, *, tenant: str, task_id: str, around: float) -> Delivery[Invoke] | None:
    """The tenant's command with this task id, stored about `around` (Unix seconds), or None.

    Reads headers only, and only those round that moment. Raises Problem(unavailable), also when they are too many.
    """
    until = time.monotonic() + _WAIT_S
    try:
        for first, last in _WINDOWS_S:
            window = (around + first, around + last)
            sequence = await scan(
                bus, streams.INVOKE, subjects.invoke(tenant, "*"), id=task_id, window=window, until=until
            )
            if sequence is not None:
                return _delivery(await bus.stream.get_msg(streams.INVOKE, sequence), sequence)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return None


async def command_at(bus: Bus, *, tenant: str, sequence: int) -> Delivery[Invoke] | None:
    """The tenant's command with this number, or None. Raises Problem(unavailable)."""
    try:
        stored = await bus.stream.get_msg(streams.INVOKE, sequence)
    except NotFoundError:
        return None
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    command = _delivery(stored, sequence)
    return command if command.body.tenant == tenant else None


async def end_at(bus: Bus, sequence: int) -> Finished | None:
    """The end with this sequence in EVENTS; None where it is not kept any more. Raises Problem(unavailable)."""
    try:
        stored = await bus.stream.get_msg(streams.EVENTS, sequence)
    except NotFoundError:
        return None
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return msgspec.json.decode(stored.data or b"", type=Finished)


def _delivery(stored: RawStreamMsg, sequence: int) -> Delivery[Invoke]:
    return Delivery(body=msgspec.json.decode(stored.data or b"", type=Invoke), sequence=sequence, count=1)


def moment(at: float) -> str:
    """Unix seconds as the server reads a time."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


async def scan(
    bus: Bus, stream: str, subject: str, *, id: str, window: tuple[float, float], until: float
) -> int | None:
    """The sequence of the message with this id, or None when all that was stored within the window has been seen.

    Reads headers only. Raises TimeoutError when it is not through at the moment `until`, by the monotonic clock, and
    what nats-py raises.
    """
    first, last = window
    config = ConsumerConfig(
        filter_subject=subject,
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=moment(first),  # type: ignore[arg-type]  # nats-py passes it on as JSON
        ack_policy=AckPolicy.NONE,
        headers_only=True,
        inactive_threshold=5,
        mem_storage=True,
        num_replicas=1,
    )
    info = await bus.stream.add_consumer(stream, config)
    pull = await bus.stream.pull_subscribe_bind(consumer=info.name, stream=stream)
    left = info.num_pending or 0
    try:
        while left > 0:
            if (wait_s := until - time.monotonic()) <= 0:
                raise TimeoutError  # not seen is not the same as not there
            batch = await pull.fetch(min(left, _BATCH), timeout=wait_s)
            for message in batch:
                if message.metadata.timestamp.timestamp() > last:
                    return None
                if (message.headers or {}).get(_MESSAGE_ID) == id:
                    return message.metadata.sequence.stream
            left -= len(batch)
    finally:
        # The server forgets the consumer by itself after a while: a fault here changes nothing of what was found.
        with suppress(*_FAULTS):
            async with asyncio.timeout(_TIDY_S):
                await pull.unsubscribe()
                await bus.stream.delete_consumer(stream, info.name)
    return None
