"""Standing pull requests: messages come as they are stored, and never more than there is room for.

A request stands for a while and brings many messages; it is renewed before it is used up. When the consumer behind it
seems lost (the server restarted, the connection broke, the request fell silent), its owner makes it anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import APIError

from shared.bus.broker import Bus

_STANDS_S = 20.0
_SILENCE_S = _STANDS_S + 2  # the server says when a request has ended; without that, it was lost
_REVIVE_S = 0.5
_EXPIRED = "408"


class Requests:
    """Calls `arrived` for each message. `revive` makes the consumer and returns `<stream>.<consumer>`.

    A message takes room until `room_made` is called for it; a request is worth sending for `least` messages.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        in_hand: int,
        least: int,
        arrived: Callable[[Msg], None],
        revive: Callable[[], Awaitable[str]],
    ) -> None:
        self._bus = bus
        self._in_hand = in_hand
        self._least = least
        self._deliver = arrived
        self._revive = revive
        self._inbox = bus.client.new_inbox()
        self._subject = ""
        self._subscription: Subscription | None = None
        self._asking: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._used = 0  # messages that take room
        self._asked = 0  # messages that standing requests may still bring
        self._heard_at = 0.0
        self._lost = True

    async def start(self) -> None:
        """Begin to pull; a bus that cannot make the consumer yet is asked until it can."""
        self._subscription = await self._bus.client.subscribe(
            self._inbox, cb=self._arrived, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._bus.on_return(self.lose)
        self._asking = asyncio.create_task(self._ask())
        self._room.set()

    async def stop(self) -> None:
        """Ask for no more, and hear no more."""
        self._bus.forget(self.lose)
        if self._asking is not None:
            self._asking.cancel()
        if self._subscription is not None:
            with suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    def room_made(self, count: int = 1) -> None:
        """So many messages take no room any more."""
        self._used -= count
        if self._in_hand - self._used - self._asked >= self._least:
            self._room.set()

    def lose(self) -> None:
        """What was asked for will not come: make the consumer anew, and ask again."""
        self._lost = True
        self._room.set()

    def check(self) -> None:
        """Called now and then: a request that has been silent for too long was lost."""
        if self._asked and time.monotonic() - self._heard_at > _SILENCE_S:
            self.lose()

    async def _revived(self) -> str:
        name = await self._revive()
        self._asked, self._lost, self._heard_at = 0, False, time.monotonic()
        return f"$JS.API.CONSUMER.MSG.NEXT.{name}"

    async def _ask(self) -> None:
        """Ask whenever there is room for enough: what becomes free in one turn of the loop is one request."""
        while True:
            await self._room.wait()
            self._room.clear()
            try:
                if self._lost:
                    self._subject = await self._revived()
                await self._request()
            except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
                self._bus.watch.trouble("cannot pull", consumer=self._subject, error=str(error) or type(error).__name__)
                self._lost = True
                await asyncio.sleep(_REVIVE_S)
                self._room.set()

    async def _request(self) -> None:
        room = self._in_hand - self._used - self._asked
        if room < self._least:
            return
        request = b'{"batch":%d,"expires":%d}' % (room, int(_STANDS_S * 1e9))
        await self._bus.client.publish(self._subject, request, reply=self._inbox)
        self._asked += room
        self._heard_at = time.monotonic()

    async def _arrived(self, message: Msg) -> None:
        self._heard_at = time.monotonic()
        if message.reply:
            self._asked = max(0, self._asked - 1)
            self._used += 1
            self._deliver(message)
        elif (headers := message.headers or {}).get("Status") == _EXPIRED:
            self._asked = max(0, self._asked - int(headers.get("Nats-Pending-Messages", self._asked)))
        else:  # 409: it was deleted, or moved; 503: nobody knows it
            await asyncio.sleep(_REVIVE_S)
            self._lost = True
        if self._lost or self._in_hand - self._used - self._asked >= self._least:
            self._room.set()
