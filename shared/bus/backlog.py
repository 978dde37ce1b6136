"""What waits in WORK, and who has it: a work queue lets nobody read it but who takes from it, so it is looked into.

The server hands out messages by their sequence without a consumer, many in one answer. What is put off or handed back
gets a higher sequence before the former message goes, so a pass in their order misses nothing that was there all along.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.consumers_in import consumers_in
from shared.bus.publisher import AWAY, MESSAGE_ID
from shared.domain.problem import Problem

_BATCH = 2000
_BATCH_BYTES = (8 << 20) + (64 << 10)  # over any one message, so that each can come
_LATER = "later."
_ENDS = frozenset({"204", "404"})  # of a batch, and of the stream
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


class Queued(NamedTuple):
    """A message in WORK: an attempt at a task. `is_due` unless it waits for its moment."""

    sequence: int
    subject: str
    task_id: str
    attempt: int

    @property
    def is_due(self) -> bool:
        """Whether an executor may take it now."""
        return not self.subject.startswith(_LATER)


class Takers(NamedTuple):
    """Who takes from WORK: for each subject, up to which sequence its messages have been handed out."""

    delivered: dict[str, int]

    def have(self, queued: Queued) -> bool:
        """Whether a message was handed out: then it is leased, or is handed out again as soon as it is not."""
        return queued.sequence <= self.delivered.get(queued.subject, 0)


class Routing(NamedTuple):
    """How far the router is: all commands up to `floor` are routed, and `waiting` of those behind it are not."""

    floor: int
    waiting: int


class _Dispatch(msgspec.Struct, frozen=True):
    task_id: str = ""
    attempt: int = 1


async def routing(bus: Bus) -> Routing:
    """How far the router is; at the beginning where there never was one. Raises Problem(unavailable)."""
    try:
        info = await bus.stream.consumer_info(streams.INVOKE, streams.ROUTER)
    except NotFoundError:
        return Routing(0, 0)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    return Routing(floor, (info.num_ack_pending or 0) + (info.num_pending or 0))


async def takers(bus: Bus) -> Takers:
    """Who takes from WORK. Raises Problem(unavailable)."""
    return Takers({one.subject: one.delivered for one in await consumers_in(bus, streams.WORK)})  # a lane each


async def stored(bus: Bus) -> int:
    """How many messages WORK has: what is due, and what waits for its moment. Raises Problem(unavailable)."""
    try:
        return int((await bus.stream.stream_info(streams.WORK)).state.messages)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error


async def in_hand(bus: Bus) -> dict[str, int]:
    """How much of each subject of WORK executors have been handed, and not done. Raises Problem(unavailable)."""
    return {one.subject: one.unacknowledged for one in await consumers_in(bus, streams.WORK)}


async def queued(bus: Bus, *, after: int = 0) -> AsyncIterator[list[Queued]]:
    """All messages of WORK behind `after`, in their order, to the last one there is. Raises Problem(unavailable)."""
    while True:
        found, pending = await _look(bus, after=after)
        if found:
            yield found
            after = found[-1].sequence
        if not pending:
            return


async def is_queued(bus: Bus, sequence: int) -> bool:
    """Whether WORK has the message with this sequence: it is not done. Raises Problem(unavailable)."""
    try:
        await bus.stream.get_msg(streams.WORK, sequence)
    except NotFoundError:
        return False
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return True


async def _look(bus: Bus, *, after: int) -> tuple[list[Queued], int]:
    """A batch, and how many there are behind it."""
    found: list[Queued] = []
    ended: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def arrived(message: Msg) -> None:
        headers = message.headers or {}
        if "Status" not in headers:
            found.append(_read(message.data, headers))
        elif not ended.done():
            ended.set_result((headers["Status"], int(headers.get("Nats-Num-Pending", 0))))

    subscription = await bus.client.subscribe(
        bus.client.new_inbox(), cb=arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    request = b'{"seq":%d,"batch":%d,"max_bytes":%d,"next_by_subj":">"}' % (after + 1, _BATCH, _BATCH_BYTES)
    try:
        await bus.client.publish(f"$JS.API.DIRECT.GET.{streams.WORK}", request, reply=subscription.subject)
        async with asyncio.timeout(bus.timeout_s):
            status, pending = await ended
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    finally:
        await subscription.unsubscribe()
    if status not in _ENDS:  # nobody answers for the stream now
        raise Problem("unavailable", AWAY)
    return found, pending


def _read(data: bytes, headers: dict[str, str]) -> Queued:
    """What was scheduled has lost its message id when it comes due, so the body says whose it is."""
    try:
        body = msgspec.json.decode(data, type=_Dispatch)
    except msgspec.DecodeError:
        body = _Dispatch(headers.get(MESSAGE_ID, "").partition(".")[0])
    return Queued(int(headers["Nats-Sequence"]), headers["Nats-Subject"], body.task_id, body.attempt)
