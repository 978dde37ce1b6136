"""An answer that is sent while it is made: part by part, each when the one before was handed on to the caller."""

import asyncio
import time
import uuid

import msgspec

from shared.bus import subjects
from shared.bus.broker import Bus, UnheardError
from shared.bus.messages import Part, Taken
from shared.domain.problem import Problem
from shared.domain.request import Response

PART_BYTES = 256 << 10
"""The most that travels at once; what is longer is cut."""

HEAD_BYTES = 256 << 10
"""The most that names and values of the header lines of an answer may have together."""

_GONE_S = 2.0  # who is not on the bus for so long has gone; a bus that restarts is back before that
_AGAIN_S = 0.1


class Streaming:
    """One run's stream to the service that waits for its answer, named by `reply_to`."""

    def __init__(self, bus: Bus, reply_to: str, *, task_id: str, within_s: float) -> None:
        self._bus = bus
        instance = reply_to.split(".")[1] if reply_to else ""
        self._subject = subjects.parts(instance, task_id)
        self._task_id = task_id
        self._run = uuid.uuid4().hex
        self._within_s = within_s
        self._until = 0.0
        self._sent = 0
        self._wanted = bool(instance)
        self._turn = asyncio.Lock()

    @property
    def begun(self) -> bool:
        """Whether a part was sent, and may have been taken."""
        return self._sent > 0

    async def send(self, data: bytes, head: Response | None) -> bool:
        """Send so many bytes on, after what was sent before; False when nobody is there to take them."""
        async with self._turn:
            self._until = self._until or time.monotonic() + self._within_s
            if not self._sent:
                head = msgspec.structs.replace(head or Response(), body=b"", streamed=True)
                self._wanted = self._wanted and _size(head) <= HEAD_BYTES
            for begin in range(0, len(data) or int(not self._sent), PART_BYTES):
                if not self._wanted:
                    break
                first = None if self._sent else head
                part = Part(
                    task_id=self._task_id,
                    number=self._sent,
                    run=self._run,
                    head=first,
                    data=data[begin : begin + PART_BYTES],
                )
                self._wanted, self._sent = False, self._sent + 1  # one who is cut here knows not whether it was taken
                self._wanted = await self._handed_on(part)
            return self._wanted

    async def _handed_on(self, part: Part) -> bool:
        """Whether it was taken. It is sent again where no answer came: the taker knows it by its number."""
        heard_at = time.monotonic()
        while (now := time.monotonic()) < self._until:
            try:
                within_s = min(self._bus.timeout_s, self._until - now)
                taken = await self._bus.ask(self._subject, part, answer=Taken, timeout_s=within_s)
            except UnheardError:
                if now - heard_at > _GONE_S:
                    return False
                await asyncio.sleep(_AGAIN_S)
            except Problem:
                heard_at = time.monotonic()  # somebody is there, whose caller takes his time
            else:
                return taken.wanted
        return False


def _size(head: Response) -> int:
    return sum(len(name) + len(value) for name, value in head.headers)
