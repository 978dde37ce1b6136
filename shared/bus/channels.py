"""Pushing to whoever listens on a channel, in whichever process, and listening. Nothing is stored: at most once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus import subjects
from shared.bus.broker import Bus, encode
from shared.bus.notices import Pushed
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

_PENDING = 10_000  # messages of one channel that have come and are not told yet; what is over that is lost
_PENDING_BYTES = 16 << 20


async def push(bus: Bus, pushed: Pushed) -> None:
    """Give it to the bus, which hands it to all who listen now. Raises Problem(unavailable, too_large)."""
    await _publish(bus, subjects.channel(pushed.tenant, pushed.app, pushed.channel), encode(pushed))


class Hearing:
    """One subscription; it outlives a restart of the bus."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def stop(self) -> None:
        """Hear no more, at once."""
        with suppress(nats.errors.Error, OSError):
            await self._subscription.unsubscribe()


class Ear:
    """Hears what is pushed, and knows from when on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._inbox = bus.client.new_inbox()
        self._numbers = count(1)
        self._echoes: dict[str, asyncio.Event] = {}
        self._listens = False

    async def hear(self, subject: str, heard: Callable[[bytes], None]) -> Hearing:
        """Hear every message on a subject, in order; returns when none that is sent from now on is missed.

        Raises Problem(unavailable).
        """

        async def received(message: Msg) -> None:
            heard(message.data)

        client = self._bus.client
        try:
            if not self._listens:
                self._listens = True
                await client.subscribe(f"{self._inbox}.*", cb=self._echoed)
            subscription = await client.subscribe(
                subject, cb=received, pending_msgs_limit=_PENDING, pending_bytes_limit=_PENDING_BYTES
            )
        except (nats.errors.Error, OSError) as error:
            raise Problem("unavailable", AWAY) from error
        hearing = Hearing(subscription)
        try:
            await self._reached()
        except BaseException:
            await hearing.stop()
            raise
        return hearing

    async def _reached(self) -> None:
        """Return when the server has taken in all that it was sent until now: what comes back was sent behind it.

        nats-py's `flush` does not say so: its ping overtakes what waits to be written.
        """
        token = str(next(self._numbers))
        self._echoes[token] = echo = asyncio.Event()
        try:
            await _publish(self._bus, f"{self._inbox}.{token}", b"")
            await asyncio.wait_for(echo.wait(), timeout=self._bus.timeout_s)
        except TimeoutError as error:
            raise Problem("unavailable", AWAY) from error
        finally:
            del self._echoes[token]

    async def _echoed(self, message: Msg) -> None:
        echo = self._echoes.get(message.subject.rpartition(".")[2])
        if echo is not None:
            echo.set()


async def _publish(bus: Bus, subject: str, data: bytes) -> None:
    try:
        await bus.client.publish(subject, data)
    except nats.errors.MaxPayloadError as error:
        raise Problem("too_large", f"The message is over the bus limit of {bus.client.max_payload} bytes") from error
    except (nats.errors.Error, OSError) as error:
        raise Problem("unavailable", AWAY) from error
