"""Numbers that all processes add to, at once and exactly: JetStream's counters (ADR-49, nats-server 2.12)."""

import asyncio

import nats.errors
from nats.js.errors import Error as JetStreamError

from shared.bus.broker import Bus
from shared.bus.publisher import AWAY
from shared.bus.streams import Stream
from shared.domain.problem import Problem


class Counters:
    """The counters of one stream, which is in the bus's memory: it is laid again whenever it is missing."""

    def __init__(self, bus: Bus, stream: Stream) -> None:
        self._bus = bus
        self._stream = stream
        self._laid = False
        self._laying = asyncio.Lock()

    async def add(self, subject: str, amount: int, *, timeout_s: float) -> int:
        """Add to a counter; what it has come to. Raises Problem(unavailable): it may have been added all the same."""
        try:
            async with asyncio.timeout(timeout_s):
                if not self._laid:
                    await self._lay()
                return await self._bus.add(subject, amount)
        except (TimeoutError, nats.errors.Error, JetStreamError, OSError) as error:
            self._laid = False
            raise Problem("unavailable", AWAY) from error
        except Problem:
            self._laid = False
            raise

    async def _lay(self) -> None:
        async with self._laying:
            if not self._laid:
                await self._bus.ensure_stream(self._stream)
                self._laid = True
