"""One follower's reading of a function's log: its calls as they end and, where that is wanted, their lines before."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from services.api.core.entries import Entry, kept, of_event
from services.api.core.lines import Chunk, Heard, Lines
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.follow import Followed, Follower, held
from shared.bus.lines import run_of
from shared.bus.messages import Event, Finished
from shared.domain.function import Function
from shared.domain.line import Why

_CLOCKS = timedelta(seconds=10)  # how far the clocks of those who run and of the bus may be apart
_LATE_S = 1.0  # lines come a little behind the end of their call, and are told before it
_decode = msgspec.json.Decoder(Event).decode


class Since(NamedTuple):
    """From where a log is followed: behind the event of this sequence, or from a moment; from now without both."""

    sequence: int | None = None
    moment: datetime | None = None


class Told(NamedTuple):
    """A call that has ended, or without an entry that calls may be missing before it. `id` is its place."""

    id: int
    entry: Entry | None


class _End(NamedTuple):
    """An end that is to be told: with an event, not before its lines are, or this moment has come."""

    told: Told
    event: Finished | None
    until: float


class Following:
    """One follower's reading. `left` is called when it is over."""

    def __init__(self, bus: Bus, function: Function, *, failed: bool, left: Callable[[], None]) -> None:
        self._bus = bus
        self._function = function
        self._failed = failed
        self._left: Callable[[], None] | None = left
        self._follower: Follower | None = None
        self._pull: asyncio.Task[Followed | None] | None = None
        self._heard: Heard | None = None
        self._began_at = time.time()
        self._newest = 0
        self._after: datetime | None = None
        self._gap: Told | None = None
        self._end: _End | None = None

    async def open(self, since: Since, lines: Lines | None) -> None:
        """Begin to read. Raises Problem(unavailable); it is to be closed then, too."""
        if lines is not None:
            self._heard = await lines.follow(self._function)
        state = await held(self._bus)
        self._newest = state.last_seq
        after = state.last_seq if since.sequence is None else since.sequence
        if since.moment is not None:
            self._after = since.moment
            if not state.messages or since.moment < state.first_ts:
                self._gap = Told(state.first_seq - 1, None)
        elif after + 1 < state.first_seq or after > state.last_seq:  # the oldest went, or the stream is another one
            after = state.first_seq - 1
            self._gap = Told(after, None)
        subject = subjects.event(self._function.tenant, self._function.slug, "finished")
        if since.moment is None:
            follower = Follower(self._bus, subject, after=after)
        else:
            follower = Follower(self._bus, subject, since=since.moment - _CLOCKS)
        await follower.open()
        self._follower = follower

    async def next(self, *, within_s: float) -> Told | Chunk | None:
        """The next thing to be told, or None when none has come in time."""
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._follower is not None:
            told = self._ready(loop.time())
            if told is not None:
                return told
            left = until - loop.time()
            if left <= 0:
                return None
            await self._news(left)
        return None

    async def close(self) -> None:
        """Leave nothing behind, however often it is called."""
        left, self._left = self._left, None
        if left is not None:
            left()
        if self._pull is not None:
            self._pull.cancel()
            await asyncio.wait({self._pull})
        if self._heard is not None:
            await self._heard.close()
        if self._follower is not None:
            await self._follower.close()

    def _ready(self, now: float) -> Told | Chunk | None:
        """Lines first, then the end that stands behind them."""
        if self._heard is not None and (chunk := self._heard.take()) is not None:
            return chunk
        self._end = end = self._end or self._pulled(now)
        if end is None:
            return None
        event = end.event
        if event is None or self._heard is None:
            self._end = None
            return end.told
        name, runs = run_of(event.executor, event.timeline.started), self._heard.runs
        if now < end.until and runs.awaits(event.task_id, name, total=event.outcome.said):
            return None
        self._end = _End(end.told, None, 0.0)
        why: Why = "before" if event.timeline.started < self._began_at else "lost"
        missing = runs.missing(event.task_id, name, attempt=event.attempt, total=event.outcome.said, why=why)
        return Chunk(missing) if missing else self._ready(now)

    def _pulled(self, now: float) -> _End | None:
        """What the log of events has brought, if anything."""
        if self._pull is None or not self._pull.done():
            return None
        came, self._pull = self._pull.result(), None
        event = None if came is None else self._wanted(came.data)
        if came is None or event is None:
            return None
        is_new = came.sequence > self._newest  # what ended before is history, and its lines were never to be told
        return _End(Told(came.sequence, of_event(event)), event if is_new else None, now + _LATE_S)

    async def _news(self, within_s: float) -> None:
        """Wait until something may have come."""
        if self._pull is None and self._end is None and self._follower is not None:
            self._pull = asyncio.create_task(self._follower.next(within_s=within_s))
        waits: set[asyncio.Task[Any]] = set() if self._pull is None else {self._pull}
        news = None if self._heard is None else asyncio.create_task(self._heard.news.wait())
        if self._end is not None:
            within_s = min(within_s, max(0.0, self._end.until - asyncio.get_running_loop().time()))
        try:
            await asyncio.wait(
                waits if news is None else {*waits, news}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if news is not None:
                news.cancel()

    def _wanted(self, data: bytes) -> Finished | None:
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # the recorder has buried it
        # A slug may have been another function's before.
        if not isinstance(event, Finished) or event.function_id != self._function.id:
            return None
        if self._failed and not event.outcome.failed:
            return None
        if self._after is not None and kept(event.timeline.done) <= self._after:
            return None
        return event
