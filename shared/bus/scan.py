"""Reading a whole stream once: the headers of its messages, in order, a batch at a time, in bounded memory.

For who compares what the streams have: nothing is acknowledged, no message's body is sent, and a consumer that was lost
on the way is made anew behind what came. A work queue cannot be read like this: `backlog.py` does.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from shared.bus.broker import Bus
from shared.bus.place import Place
from shared.bus.publisher import AWAY, MESSAGE_ID
from shared.domain.problem import Problem

_BATCH = 2000
_UNUSED_S = 30.0  # the server forgets a consumer after so long a silence
_TRIES = 5  # in a row, without one message
_PAUSE_S = 0.5
_NO_MESSAGE = 10043
# Looked at after the message's own id: which refusals are is another matter where servers have to agree on a message.
# One that comes after they did, as by the last id there, takes the others out of the stream for good (NATS 2.15).
_REFUSED_ALONE = {"Nats-Expected-Last-Msg-Id": "no message has this id"}
_REFUSED_BEFORE_THEY_AGREE = {"Nats-Expected-Last-Subject-Sequence": str(1 << 60)}
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


class Entry(NamedTuple):
    """A message: its place, its subject, and the id under which it was stored, empty where it has none."""

    sequence: int
    subject: str
    id: str


class Message(NamedTuple):
    """A message with its body, and its id, empty where it has none."""

    subject: str
    id: str
    data: bytes


class State(NamedTuple):
    """What a stream holds now, and when it was made: another `created` is another stream of that name.

    It has everything that came since the moment `whole_since`.
    """

    created: str
    messages: int
    first: int
    last: int
    whole_since: datetime


class _Held(msgspec.Struct, frozen=True):
    messages: int
    first_seq: int
    last_seq: int
    first_ts: datetime


class _Shape(msgspec.Struct, frozen=True):
    num_replicas: int


class _Info(msgspec.Struct, frozen=True):
    created: str
    state: _Held
    config: _Shape


async def state(bus: Bus, stream: str) -> State:
    """What the stream holds. Raises Problem(unavailable)."""
    found = await _info(bus, stream)
    held = found.state
    whole = msgspec.convert(found.created, datetime) if held.first_seq <= 1 else held.first_ts
    return State(found.created, held.messages, held.first_seq, held.last_seq, whole)


async def _info(bus: Bus, stream: str) -> _Info:
    try:
        info = await bus.client.request(f"$JS.API.STREAM.INFO.{stream}", timeout=bus.timeout_s)
        return msgspec.json.decode(info.data, type=_Info)
    except (*_FAULTS, msgspec.ValidationError) as error:  # an answer without a state says that it cannot
        raise Problem("unavailable", AWAY) from error


async def message(bus: Bus, stream: str, sequence: int) -> Message | None:
    """The message of this sequence, or None where there is none any more. Raises Problem(unavailable)."""
    if sequence < 1:
        return None
    try:
        found = await bus.stream.get_msg(stream, sequence, direct=True)
    except NotFoundError:
        return None
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return Message(found.subject or "", (found.headers or {}).get(MESSAGE_ID, ""), found.data or b"")


async def remove(bus: Bus, stream: str, sequence: int) -> None:
    """Take a message out of a stream; nothing happens where it has gone. Raises Problem(unavailable)."""
    try:
        await bus.stream.delete_msg(stream, sequence)
    except NotFoundError:
        return
    except _FAULTS as error:
        if isinstance(error, APIError) and error.err_code == _NO_MESSAGE:
            return
        raise Problem("unavailable", AWAY) from error


async def knows(bus: Bus, stream: str, subject: str, *, id: str) -> bool:
    """Whether the stream would take a message with this id for a repeat; none is stored. Raises Problem(unavailable).

    How many servers have the stream is asked each time: it may be moved to more of them.
    """
    alone = (await _info(bus, stream)).config.num_replicas == 1
    refused = _REFUSED_ALONE if alone else _REFUSED_BEFORE_THEY_AGREE
    try:
        return (await bus.publish(subject, b"", headers={MESSAGE_ID: id, **refused})).duplicate
    except Problem as problem:
        if problem.code != "conflict":
            raise
        return False


async def headers(
    bus: Bus, stream: str, *, subjects: Sequence[str], after: int = 0, upto: int = 0
) -> AsyncGenerator[list[Entry], None]:
    """The messages on these subjects behind `after`, up to the sequence `upto`, or where that is 0 to the last one.

    Raises Problem(unavailable).
    """
    if not subjects:
        return
    reading = _Reading(bus, stream, subjects, after)
    try:
        while not reading.over:
            entries = await reading.batch()
            kept = [entry for entry in entries if not upto or entry.sequence <= upto]
            if kept:
                yield kept
            if len(kept) < len(entries) or (upto and entries and entries[-1].sequence == upto):
                return
    finally:
        await reading.close()


class _Reading:
    """One pass. The consumer's own count tells when a message was lost on the way."""

    def __init__(self, bus: Bus, stream: str, subjects: Sequence[str], after: int) -> None:
        self._bus = bus
        self._stream = stream
        self._subjects = list(subjects)
        self._after = after
        self._consumer = ""
        self._next = 1
        self._subscription: Subscription | None = None
        self._came: list[Entry] = []
        self._ended = asyncio.Event()
        self._asked = 0
        self._broken = False
        self.over = False

    async def batch(self) -> list[Entry]:
        """The next messages; none where there are no more, and then it is `over`."""
        for _ in range(_TRIES):
            try:
                await self._ask()
                async with asyncio.timeout(self._bus.timeout_s):
                    await self._ended.wait()
            except _FAULTS:
                self._broken = True
            came, self._came = self._came, []
            if came or self.over:
                return came
            await asyncio.sleep(_PAUSE_S)
        raise Problem("unavailable", AWAY)

    async def close(self) -> None:
        """Leave nothing behind; the server forgets by itself what it could not be told."""
        try:
            async with asyncio.timeout(1.0):
                if self._subscription is not None:
                    await self._subscription.unsubscribe()
                if self._consumer:
                    await self._bus.stream.delete_consumer(self._stream, self._consumer)
        except _FAULTS:
            return

    async def _ask(self) -> None:
        if not self._consumer or self._broken:
            await self._begin()
        if self.over:
            return
        self._ended.clear()
        self._asked = _BATCH
        request = b'{"batch":%d,"no_wait":true}' % _BATCH
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        assert self._subscription is not None
        await self._bus.client.publish(subject, request, reply=self._subscription.subject)

    async def _begin(self) -> None:
        """Make the consumer anew, behind what came. What the former one still sends goes to nobody."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        inbox = self._bus.client.new_inbox()
        self._subscription = await self._bus.client.subscribe(
            inbox, cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        info = await self._bus.stream.add_consumer(
            self._stream,
            ConsumerConfig(
                filter_subjects=self._subjects,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._after + 1,
                ack_policy=AckPolicy.NONE,
                headers_only=True,
                inactive_threshold=_UNUSED_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        self._consumer, self._next, self._broken = info.name, 1, False
        if not info.num_pending:
            self._end()

    def _end(self) -> None:
        self.over = True
        self._ended.set()

    async def _arrived(self, message: Msg) -> None:
        if not message.reply:  # the request has ended before it was served: there is no more, or nobody to ask
            if (message.headers or {}).get("Status") != "404":
                self._broken = True
            self._ended.set()
            return
        place = Place.of(message)
        if self._broken or place.consumer != self._consumer or place.number != self._next:
            self._broken = True
            self._ended.set()
            return
        self._next += 1
        self._after = place.sequence
        self._came.append(Entry(place.sequence, message.subject, (message.headers or {}).get(MESSAGE_ID, "")))
        self._asked -= 1
        if message.reply.endswith(".0"):  # how many are left behind it
            self._end()
        elif not self._asked:
            self._ended.set()
