"""Whether work is still to be done: what WORK has is queued, held by an executor, or waits for its moment.

A work queue lets nobody read it but who takes from it; the server hands out its messages all the same, many at a time.
"""

import asyncio

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.publisher import AWAY, MESSAGE_ID
from shared.bus.subjects_in import subjects_in
from shared.domain.problem import Problem

_BATCH = 1000
_BATCH_BYTES = (8 << 20) + (64 << 10)  # over any one message, so that each can come
_ENDS = frozenset({"204", "404"})  # of a batch, and of the stream
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


async def is_queued(bus: Bus, sequence: int) -> bool:
    """Whether WORK has the message with this sequence: it is not done. Raises Problem(unavailable)."""
    try:
        await bus.stream.get_msg(streams.WORK, sequence)
    except NotFoundError:
        return False
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return True


async def tasks_queued(bus: Bus, tenant: str) -> set[str]:
    """The tasks for which WORK has anything of this tenant. Reads all of it. Raises Problem(unavailable)."""
    tasks = await _later(bus, tenant)
    after, pending = 0, 1
    while pending:
        found, after, pending = await _look(bus, subjects.work_of(tenant), after=after)
        tasks |= found
    return tasks | await _later(bus, tenant)  # and what was put off while this was read


async def _later(bus: Bus, tenant: str) -> set[str]:
    return {subjects.task_later(subject) for subject in await subjects_in(bus, streams.WORK, subjects.later_of(tenant))}


async def _look(bus: Bus, pattern: str, *, after: int) -> tuple[set[str], int, int]:
    """The tasks of a batch, the sequence of its last message, and how many there are behind it."""
    found: set[str] = set()
    last = after
    ended: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    async def arrived(message: Msg) -> None:
        nonlocal last
        headers = message.headers or {}
        if "Status" not in headers:
            found.add(_task(headers))
            last = int(headers["Nats-Sequence"])
        elif not ended.done():
            ended.set_result((headers["Status"], int(headers.get("Nats-Num-Pending", 0))))

    subscription = await bus.client.subscribe(
        bus.client.new_inbox(), cb=arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
    )
    request = {"seq": after + 1, "batch": _BATCH, "max_bytes": _BATCH_BYTES, "next_by_subj": pattern}
    try:
        await bus.client.publish(
            f"$JS.API.DIRECT.GET.{streams.WORK}", msgspec.json.encode(request), reply=subscription.subject
        )
        async with asyncio.timeout(bus.timeout_s):
            status, pending = await ended
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    finally:
        await subscription.unsubscribe()
    if status not in _ENDS:  # nobody answers for the stream now
        raise Problem("unavailable", AWAY)
    return found, last, pending


def _task(headers: dict[str, str]) -> str:
    """What was scheduled has lost its message id when it comes due, but says where it waited."""
    if waited := headers.get("Nats-Scheduler"):
        return subjects.task_later(waited)
    return headers.get(MESSAGE_ID, "").partition(".")[0]
