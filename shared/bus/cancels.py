"""Which invocations are not wanted any more: everything that the stream CANCELS has, read at the start and followed.

Whoever hands work on or runs it looks here first: one look into a set for each message, and nothing while it is empty.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from nats.aio.msg import Msg

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.log import LogReader
from shared.bus.notices import Cancelling
from shared.bus.place import Place
from shared.domain.problem import Problem

SOMEBODY = "somebody"
"""Who wants it where that cannot be read."""

_IN_HAND = 2000
_CHECK_S = 5.0
_READ_S = 120.0  # the whole stream, at the start
_LOOK_S = 0.01

Heard = Callable[[str, str], None]
"""Told of a tenant's task."""


class Cancels:
    """The last `most` of them; as many as the stream keeps, where nothing else is said."""

    def __init__(self, bus: Bus, *, most: int = streams.CANCELS_KEPT) -> None:
        self._bus = bus
        self._most = most
        self._tasks: set[int] = set()  # as numbers: half of what the texts would take
        self._order: deque[int] = deque()
        self._heard: list[Heard] = []
        self._reader = LogReader(bus, streams.CANCELS, self._arrived, in_hand=_IN_HAND, sparse=True)
        self._upkeep: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: str) -> bool:
        return bool(self._tasks) and _number(task_id) in self._tasks

    def on_cancel(self, heard: Heard) -> None:
        """Have `heard` told of each as it comes, also of one that has come before."""
        self._heard.append(heard)

    async def start(self) -> None:
        """Return when everything has been read that was there. Raises Problem(unavailable)."""
        last = await self._bus.last_sequence(streams.CANCELS)
        await self._reader.start(after=0)
        self._upkeep = self._bus.mind(self._keep_up())
        until = time.monotonic() + _READ_S
        while self._reader.position < last and not await self._is_empty():
            if time.monotonic() > until:
                raise Problem("unavailable", f"the stream {streams.CANCELS} could not be read in {_READ_S:g} s")
            await asyncio.sleep(_LOOK_S)

    async def stop(self) -> None:
        """Hear no more."""
        if self._upkeep is not None:
            self._upkeep.cancel()
        await self._reader.stop()

    async def by(self, tenant: str, task_id: str) -> str:
        """Who wants this one cancelled, as far as that can be read."""
        try:
            word = await self._bus.last(streams.CANCELS, subjects.cancel(tenant, task_id), Cancelling)
        except Problem:
            return SOMEBODY
        return word.body.by if word is not None else SOMEBODY

    async def _is_empty(self) -> bool:
        """What has grown too old is gone, with the last sequence standing where it was."""
        return (await self._bus.stream.stream_info(streams.CANCELS)).state.messages == 0

    def _arrived(self, message: Msg, place: Place) -> None:
        self._reader.done(place.sequence)
        tenant, task_id = subjects.cancelled_task(message.subject)
        number = _number(task_id)
        if number not in self._tasks:
            if len(self._order) >= self._most:
                self._tasks.discard(self._order.popleft())
            self._tasks.add(number)
            self._order.append(number)
        for heard in self._heard:
            heard(tenant, task_id)

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_S)
            self._reader.check()


def _number(task_id: str) -> int:
    """A task id is a UUID; another text has a number that is no UUID's."""
    try:
        return int(task_id.replace("-", ""), 16)
    except ValueError:
        return -int.from_bytes(task_id.encode())
