"""Following the events of one function as they are stored, from a place that the follower names.

For a reader that may be slow, and of whom there may be many: nothing is asked for before what came is taken, so one
never holds more than a request brings. When the consumer behind it is lost, it is made anew where this one stands.
"""

import asyncio
import contextlib
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.place import Place
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

_AT_ONCE = 32
_REQUEST_BYTES = (8 << 20) + (64 << 10)  # over any one message, so that each can come
_STANDS_S = 10.0
_SILENCE_S = _STANDS_S + 2  # the server says when a request has ended; without that, it was lost
_UNUSED_S = 60.0  # the server forgets a consumer after so long a silence
_REVIVE_S = 0.5
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


class Held(msgspec.Struct, frozen=True):
    """What the stream of events holds: from `first_seq`, stored at `first_ts`, to `last_seq`; or nothing any more."""

    messages: int
    first_seq: int
    first_ts: datetime
    last_seq: int


class _Info(msgspec.Struct, frozen=True):
    state: Held


class Followed(NamedTuple):
    """An event, and its sequence in the stream."""

    sequence: int
    data: bytes


async def held(bus: Bus) -> Held:
    """What the stream of events holds now. Raises Problem(unavailable)."""
    try:
        info = await bus.client.request(f"$JS.API.STREAM.INFO.{streams.EVENTS}", timeout=bus.timeout_s)
        return msgspec.json.decode(info.data, type=_Info).state
    except (*_FAULTS, msgspec.ValidationError) as error:  # an answer without a state says that it cannot
        raise Problem("unavailable", AWAY) from error


class Follower:
    """Those of the stored events on `subject` behind the sequence `after`, or else since a moment."""

    def __init__(self, bus: Bus, subject: str, *, after: int = 0, since: datetime | None = None) -> None:
        self._bus = bus
        self._subject = subject
        self._after = after
        self._since = since
        self._inbox = bus.client.new_inbox()
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._next = 1  # the consumer's own count: a gap means that messages were lost on the way
        self._asked = 0  # what the standing request may still bring
        self._asked_at = 0.0
        self._came: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._lost = True

    async def open(self) -> None:
        """Begin. Raises Problem(unavailable)."""
        try:
            self._subscription = await self._bus.client.subscribe(self._inbox, cb=self._arrived)
            self._bus.on_return(self._lose)
            await self._begin()
        except _FAULTS as error:
            await self.close()
            raise Problem("unavailable", AWAY) from error

    async def close(self) -> None:
        """Leave nothing behind, here or on the server, which forgets by itself what it could not be told."""
        self._bus.forget(self._lose)
        self._came.clear()
        with contextlib.suppress(*_FAULTS):
            async with asyncio.timeout(1.0):
                if self._subscription is not None:
                    await self._subscription.unsubscribe()
                if self._consumer:
                    await self._bus.stream.delete_consumer(streams.EVENTS, self._consumer)

    async def next(self, *, within_s: float) -> Followed | None:
        """The next event, or None when none has come in time."""
        until = asyncio.get_running_loop().time() + within_s
        while not self._came:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            self._news.clear()
            try:
                await self._ask()
            except _FAULTS:
                self._lose()
                await asyncio.sleep(min(left, _REVIVE_S))
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _SILENCE_S)):
                    await self._news.wait()
        message = self._came.popleft()
        self._after = Place.of(message).sequence
        return Followed(self._after, message.data)

    async def _begin(self) -> None:
        """Make the consumer anew, behind what was taken."""
        former, self._consumer, self._lost, self._asked = self._consumer, "", False, 0
        self._came.clear()
        since = None if self._after or self._since is None else self._since.astimezone(UTC)
        config = ConsumerConfig(
            filter_subject=self._subject,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE if since is None else DeliverPolicy.BY_START_TIME,
            opt_start_seq=self._after + 1 if since is None else None,
            opt_start_time=since,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_UNUSED_S,
            mem_storage=True,
            num_replicas=1,
        )
        if former:
            with contextlib.suppress(*_FAULTS):
                await self._bus.stream.delete_consumer(streams.EVENTS, former)
        self._consumer = (await self._bus.stream.add_consumer(streams.EVENTS, config)).name
        self._next = 1

    async def _ask(self) -> None:
        """Ask for more where nothing is asked for, or what was has fallen silent."""
        now = asyncio.get_running_loop().time()
        if self._asked and now - self._asked_at > _SILENCE_S:
            self._lose()
        if self._lost:
            await self._begin()
        if self._asked:
            return
        self._asked, self._asked_at = _AT_ONCE, now
        request = b'{"batch":%d,"max_bytes":%d,"expires":%d}' % (_AT_ONCE, _REQUEST_BYTES, int(_STANDS_S * 1e9))
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{streams.EVENTS}.{self._consumer}"
        await self._bus.client.publish(subject, request, reply=self._inbox)

    def _lose(self) -> None:
        self._lost = True
        self._news.set()

    async def _arrived(self, message: Msg) -> None:
        if not message.reply:  # a request has ended: 404, 408, 409; or nobody knows the consumer: 503, 409
            self._asked = 0
            status = (message.headers or {}).get("Status", "")
            if status not in {"404", "408"} and "Nats-Pending-Messages" not in (message.headers or {}):
                self._lost = True
        elif (place := Place.of(message)).consumer == self._consumer and not self._lost:
            if place.number != self._next:
                self._lost = True
            else:
                self._next += 1
                self._asked -= 1
                self._came.append(message)
        self._news.set()
