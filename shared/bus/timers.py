"""Messages that the server delivers at a given moment: one a subject, replaced and withdrawn under a check.

`Nats-Schedule: @at …` leaves the message in its stream until the moment, and then stores it under the target. The
check is the sequence of the subject's last message: who plans on what has changed meanwhile is refused.
"""

from datetime import UTC, datetime

import msgspec
import nats.errors
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams
from shared.bus.broker import Bus, encode
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


class _Count(msgspec.Struct, frozen=True):
    messages: int = 0
    last_seq: int = 0
    subjects: dict[str, int] | None = None


class _Info(msgspec.Struct, frozen=True):
    state: _Count


async def set_timer(bus: Bus, subject: str, body: msgspec.Struct, *, target: str, at: float, after: int) -> bool:
    """Have `body` delivered on `target` at a moment, Unix seconds. False if `after` is not the subject's last sequence.

    `after` is what `last` said, 0 for "there is none". Raises Problem(unavailable).
    """
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = {
        "Nats-Schedule": f"@at {moment}",
        "Nats-Schedule-Target": target,
        "Nats-Expected-Last-Subject-Sequence": str(after),
    }
    try:
        await bus.publish(subject, encode(body), headers=headers)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        return False
    return True


async def last(bus: Bus, subject: str) -> int:
    """The sequence of the timer that is set on the subject, 0 where there is none. Raises Problem(unavailable)."""
    try:
        return (await bus.stream.get_last_msg(streams.SCHEDULES, subject, direct=True)).seq or 0
    except NotFoundError:
        return 0
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error


async def withdraw(bus: Bus, subject: str) -> None:
    """Take the timer back; nothing happens where there is none. Raises Problem(unavailable)."""
    try:
        await bus.stream.purge_stream(streams.SCHEDULES, subject=subject)
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error


async def count(bus: Bus) -> int:
    """How many timers are set, with those that have come and are not handled yet."""
    return (await _info(bus, b"")).messages


async def waiting(bus: Bus, consumer: streams.Consumer) -> int:
    """How many messages wait for a consumer, not counting those in hand. Raises Problem(unavailable)."""
    try:
        return (await bus.stream.consumer_info(consumer.stream, consumer.name)).num_pending or 0
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error


async def subjects(bus: Bus, pattern: str) -> set[str]:
    """The subjects of all timers that match. Raises Problem(unavailable)."""
    found: set[str] = set()
    while True:
        request = msgspec.json.encode({"subjects_filter": pattern, "offset": len(found)})
        page = (await _info(bus, request)).subjects
        if not page or found.issuperset(page):
            return found
        found |= page.keys()


async def _info(bus: Bus, request: bytes) -> _Count:
    try:
        answer = await bus.client.request(f"$JS.API.STREAM.INFO.{streams.SCHEDULES}", request, timeout=bus.timeout_s)
        return msgspec.json.decode(answer.data, type=_Info).state
    except (*_FAULTS, msgspec.ValidationError) as error:
        raise Problem("unavailable", AWAY) from error
