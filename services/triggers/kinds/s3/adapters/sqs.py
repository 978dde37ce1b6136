"""A queue of Amazon SQS that S3 fills, or SNS, or EventBridge: messages are deleted when what they tell of is on disk.

What cannot be read is left in the queue, whose own redrive policy says what becomes of it; so is a message with one
record that cannot, when the others are taken.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress

from services.triggers.kinds.s3.adapter import Source, SourceFault
from services.triggers.kinds.s3.aws import LONG_POLL_S, Message, Sqs
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.parse import Malformed, parse
from shared import telemetry
from shared.domain.event_source import SqsConfig
from shared.domain.problem import Problem

_HIDDEN_S = 30.0  # after which messages of a receiver that died are somebody else's
_BUSY = 2  # messages at once that are worth another receiver
_HELD_S = 600.0  # how long messages are held for a platform that is away, instead of being counted as tried
_AGAIN_S = 1.0
_GIVE_BACK_S = 1.0
_log = telemetry.logger("s3")


async def run(source: Source) -> None:
    """Learn of uploads from a queue. Implements services.triggers.kinds.s3.adapter.Adapter."""
    config = source.config
    assert isinstance(config, SqsConfig)
    receivers = source.world.settings.sqs_receivers
    secret = source.secrets.get("secret_access_key", "")
    platform = source.world.service.platform
    # Each may have messages that are being hidden for longer while it takes them.
    with closing(Sqs(config.queue_url, config.access, secret, platform, most=2 * receivers)) as queue:
        await _Receiving(source, queue).by(receivers)


class _Receiving:
    """One receiver waits for messages; where there are many, the others help until there are none."""

    def __init__(self, source: Source, queue: Sqs) -> None:
        self._source = source
        self._queue = queue
        self._busy = asyncio.Event()

    async def by(self, receivers: int) -> None:
        """Until one of them fails."""
        await self._batch(wait_s=0)  # an empty queue would say only after a long poll that it lets us
        tasks = [asyncio.create_task(self._wait())]
        tasks += [asyncio.create_task(self._help()) for _ in range(receivers - 1)]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in ended:
            task.result()

    async def _wait(self) -> None:
        while True:
            if await self._batch(wait_s=LONG_POLL_S) >= _BUSY:
                self._busy.set()

    async def _help(self) -> None:
        while True:
            await self._busy.wait()
            if not await self._batch(wait_s=0):
                self._busy.clear()

    async def _batch(self, *, wait_s: float) -> int:
        """Some messages, taken and deleted; how many there were."""
        messages = await self._queue.receive(wait_s=wait_s, hidden_s=_HIDDEN_S)
        self._source.well()
        if not messages:
            return 0
        async with self._kept(messages):
            read, events = await self._read(messages)
            await self._take(events)
            failed = await self._queue.delete(read) if read else 0
        if failed:  # they come again, and set nothing off again
            _log.warning("messages could not be deleted", source=self._source.source.public_id, count=failed)
        return len(messages)

    async def _read(self, messages: Sequence[Message]) -> tuple[list[Message], list[ObjectEvent]]:
        """Which messages can be read, and the uploads that they tell of: of none, as a test does, or of several."""
        read: list[Message] = []
        events: list[ObjectEvent] = []
        for message in messages:
            await asyncio.sleep(0)  # ten large ones would keep everybody else waiting
            try:
                events += parse(message.body)
            except Malformed as fault:
                events += fault.uploads
                telemetry.SOURCE_UNREAD.labels("sqs").inc()
                if message.deliveries == 1:
                    source = self._source.source.public_id
                    _log.warning("a message cannot be read", source=source, message=message.id, reason=str(fault))
            else:
                read.append(message)
        return read, events

    async def _take(self, events: Sequence[ObjectEvent]) -> None:
        """Have them taken, again and again while the platform is away: a return to the queue counts as a failure."""
        end = time.monotonic() + _HELD_S
        while events:
            try:
                await self._source.take(events)
            except Problem as problem:
                if problem.code != "unavailable" or time.monotonic() > end:
                    raise
                _log.warning("uploads cannot be taken", source=self._source.source.public_id, reason=problem.message)
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    @asynccontextmanager
    async def _kept(self, messages: Sequence[Message]) -> AsyncIterator[None]:
        """Keep messages from others for as long as the block runs; they are given back at once if it is cancelled."""
        keeping = asyncio.create_task(self._keep(messages))
        try:
            yield
        except asyncio.CancelledError:
            with suppress(SourceFault, TimeoutError):
                async with asyncio.timeout(_GIVE_BACK_S):
                    await self._queue.hide(messages, 0)
            raise
        finally:
            keeping.cancel()

    async def _keep(self, messages: Sequence[Message]) -> None:
        while True:
            await asyncio.sleep(_HIDDEN_S / 3)
            with suppress(SourceFault):  # the next call says so, too
                await self._queue.hide(messages, _HIDDEN_S)
