"""Standing pull requests: messages come as they are stored, and never more than there is room for.

A request stands for a while and brings many messages; the next one is sent before it is used up. When the consumer
behind it seems lost (the server restarted, the connection broke, the request fell silent), its owner makes it anew.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import APIError

from shared.bus.broker import Bus
from shared.bus.room import Room

_STANDS_S = 20.0
_LARGE_STANDS_S = 2.0  # one that keeps room from others
_HEARTBEAT_S = 4.0  # the server says that it has the request, when it has nothing else to say
_SILENCE_S = 2.5 * _HEARTBEAT_S  # a request that is not heard of for so long was lost
_REVIVE_S = 0.5
_PENDING = "Nats-Pending-Messages"  # of a request that ended before it was served
_ALIVE = "100"
_TOO_LARGE = "MaxBytes"  # why it ended: the next message did not fit into it


def _nothing() -> None:
    return


class _Request:
    """What a standing request may still bring, and the bytes that it was made for."""

    __slots__ = ("left", "size")

    def __init__(self, left: int, size: int) -> None:
        self.left = left
        self.size = size


class Requests:
    """Calls `arrived` for each message. `revive` makes the consumer and returns `<stream>.<consumer>`.

    `lost` is called as soon as the consumer seems lost.
    A message takes room until `room_made` is called for it; how much room there is says `room`.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        room: Room,
        arrived: Callable[[Msg], None],
        revive: Callable[[], Awaitable[str]],
        lost: Callable[[], None] = _nothing,
    ) -> None:
        self._bus = bus
        self._all = room
        self._deliver = arrived
        self._revive = revive
        self._on_loss = lost
        self._inbox = bus.client.new_inbox()
        self._subject = ""
        self._subscription: Subscription | None = None
        self._asking: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._used = 0  # messages that take room
        self._used_bytes = 0
        self._standing: deque[_Request] = deque()  # the oldest first
        self._asked = 0  # what they may still bring
        self._large = False  # whether messages come that do not fit into a small request
        self._heard_at = 0.0
        self._lost = True

    @property
    def pulling(self) -> bool:
        """Whether the consumer is there, as far as is known."""
        return not self._lost

    @property
    def quiet(self) -> bool:
        """Whether nothing is in hand, and nothing is asked for."""
        return not self._used and not self._asked

    async def start(self) -> None:
        """Begin to pull; a bus that cannot make the consumer yet is asked until it can."""
        self._subscription = await self._bus.client.subscribe(
            self._inbox, cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._bus.on_return(self.lose)
        self._asking = self._bus.mind(self._ask())
        self._room.set()

    async def stop(self) -> None:
        """Ask for no more, and hear no more."""
        self._bus.forget(self.lose)
        if self._asking is not None:
            self._asking.cancel()
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()
        self._drop_standing()

    def room_made(self, message: Msg) -> None:
        """This message takes no room any more."""
        self._used -= 1
        self._used_bytes -= len(message.data)
        self._all.went(len(message.data))
        self.look()

    def look(self) -> None:
        """There may be more room than before."""
        if self._worth_asking():
            self._room.set()

    def lose(self) -> None:
        """What was asked for will not come: make the consumer anew, and ask again."""
        self._on_loss()
        self._lost = True
        self._room.set()

    def check(self) -> None:
        """Called now and then: a request that has been silent for too long was lost."""
        if self._asked and time.monotonic() - self._heard_at > _SILENCE_S:
            self.lose()

    def _worth_asking(self) -> int:
        """For how many messages a request is worth sending, 0 for none."""
        most = self._all.messages()
        room = most - self._used - self._asked
        return room if room >= self._all.least(most) else 0

    async def _ask(self) -> None:
        """Ask whenever there is room for enough: what becomes free in one turn of the loop is one request."""
        while True:
            await self._room.wait()
            self._room.clear()
            try:
                if self._lost:
                    await self._begin()
                if count := self._worth_asking():
                    await self._request(count)
            except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
                self._bus.watch.trouble("cannot pull", consumer=self._subject, error=str(error) or type(error).__name__)
                self._lost = True
                await asyncio.sleep(_REVIVE_S)
                self._room.set()

    async def _begin(self) -> None:
        self._lost = False  # before the wait: what is lost meanwhile counts
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{await self._revive()}"
        self._drop_standing()

    def _drop_standing(self) -> None:
        while self._standing:
            self._all.ended(self._standing.popleft().size)
        self._asked = 0

    async def _request(self, count: int) -> None:
        size = self._all.request_bytes(self._used_bytes, large=self._large, standing=len(self._standing))
        if not size:
            return
        stands_s = _LARGE_STANDS_S if self._large else _STANDS_S
        heartbeat_s = min(_HEARTBEAT_S, stands_s / 4)
        request = b'{"batch":%d,"max_bytes":%d,"expires":%d,"idle_heartbeat":%d}' % (
            *(count, size),
            *(int(stands_s * 1e9), int(heartbeat_s * 1e9)),
        )
        self._standing.append(_Request(count, size))
        self._asked += count
        self._heard_at = time.monotonic()
        await self._bus.client.publish(self._subject, request, reply=self._inbox)

    async def _arrived(self, message: Msg) -> None:
        self._heard_at = time.monotonic()
        if message.reply:
            self._served(1)
            self._used += 1
            self._used_bytes += len(message.data)
            self._all.came(len(message.data))
            self._deliver(message)
        elif _PENDING in (headers := message.headers or {}):  # 408, 409: a request has ended, with so many unserved
            self._large = _TOO_LARGE in headers.get("Description", "")
            self._served(int(headers[_PENDING]))
        elif headers.get("Status") != _ALIVE:  # 409: it was deleted, or another server has it now; 503: nobody knows it
            self._on_loss()
            await asyncio.sleep(_REVIVE_S)
            self._lost = True
        if self._lost or self._worth_asking():
            self._room.set()

    def _served(self, count: int) -> None:
        """So many will not come any more, because they came or because their request has ended."""
        while count and self._standing:
            first = self._standing[0]
            part = min(count, first.left)
            first.left -= part
            self._asked -= part
            count -= part
            if not first.left:
                self._standing.popleft()
                self._all.ended(first.size)
