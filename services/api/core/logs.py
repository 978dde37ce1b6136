"""The logs of functions: what is on record of their calls, and those that end now, as they end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from services.api.core.entries import Entry, of_event, of_record
from services.api.core.recent import Recent
from services.api.core.rights import must_read
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.follow import Follower, held
from shared.bus.messages import Event, Finished
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.invocations import Invocations

_CLOCKS = timedelta(seconds=10)  # how far the clocks of those who run and of the bus may be apart
_AGAIN_S = 5
_decode = msgspec.json.Decoder(Event).decode


class Since(NamedTuple):
    """From where a log is followed: behind the event of this sequence, or from a moment; from now without both."""

    sequence: int | None = None
    moment: datetime | None = None


class Told(NamedTuple):
    """One thing to tell a follower: an entry, or a `gap` before which something may be missing. `id` is its place."""

    id: int
    entry: Entry | None
    gap: str = ""


class Logs:
    """The logs of functions. Every method raises Problem(unavailable) when the bus or the store is away.

    At most `most` may follow in this process, `most_of_one` for any one tenant. Every `keep_alive_s` each of them is
    asked again who it is.
    """

    def __init__(
        self, bus: Bus, store: Store, recent: Recent, *, most: int, most_of_one: int, keep_alive_s: float
    ) -> None:
        self._bus = bus
        self._store = store
        self._recent = recent
        self._most = most
        self._most_of_one = most_of_one
        self.keep_alive_s = keep_alive_s
        self._following: Counter[str] = Counter()
        self.ending = asyncio.Event()
        """Set when this process is to end: who follows is let go."""

    def __len__(self) -> int:
        """How many follow now."""
        return self._following.total()

    async def page(
        self, caller: Caller, function: Function, *, limit: int, since: datetime | None, failed: bool
    ) -> tuple[list[Entry], bool]:
        """The latest calls that ended after `since`, the last one first, and whether there are more."""
        must_read(caller)
        await self._recent.settle(caller.tenant)
        record = Invocations(self._store, caller.tenant)
        found, more = await record.logs(function.id, limit=limit, since=since, failed=failed)
        return [of_record(one) for one in found], more

    async def follow(self, caller: Caller, function: Function, since: Since, *, failed: bool) -> "Following":
        """The calls that end from now on, or since then. To be closed. Raises Problem(rate_limited)."""
        must_read(caller)
        self._enter(caller.tenant)
        try:
            following = Following(self._bus, function, failed=failed, left=lambda: self._leave(caller.tenant))
            await following.open(since)
        except BaseException:
            self._leave(caller.tenant)
            raise
        return following

    async def may_follow(self, known: Callable[[], Awaitable[Caller]], function: Function) -> bool:
        """Whether who follows may go on to. While nobody can say, it is believed what was known."""
        try:
            caller = await known()
            must_read(caller)
        except Problem as problem:
            return problem.code == "unavailable"
        return caller.tenant == function.tenant

    def _enter(self, tenant: str) -> None:
        if self.ending.is_set() or len(self) >= self._most:
            raise Problem("unavailable", "Very many follow logs already; try again in a moment")
        if self._following[tenant] >= self._most_of_one:
            message = f"{self._most_of_one} of your clients follow logs already; close one of them first"
            raise Problem("rate_limited", message, retry_after_s=_AGAIN_S)
        self._following[tenant] += 1

    def _leave(self, tenant: str) -> None:
        self._following[tenant] -= 1
        if not self._following[tenant]:
            del self._following[tenant]


class Following:
    """One follower's reading."""

    def __init__(self, bus: Bus, function: Function, *, failed: bool, left: Callable[[], None]) -> None:
        self._bus = bus
        self._function = function
        self._failed = failed
        self._left: Callable[[], None] | None = left
        self._follower: Follower | None = None
        self._after: datetime | None = None
        self._gap: Told | None = None

    async def open(self, since: Since) -> None:
        """Begin to read. Raises Problem(unavailable)."""
        state = await held(self._bus)
        after = state.last_seq if since.sequence is None else since.sequence
        if since.moment is not None:
            self._after = since.moment
            if not state.messages or since.moment < state.first_ts:
                self._missing(state.first_seq - 1)
        elif after + 1 < state.first_seq or after > state.last_seq:  # the oldest went, or the stream is another one
            after = state.first_seq - 1
            self._missing(after)
        subject = subjects.event(self._function.tenant, self._function.slug, "finished")
        if since.moment is None:
            follower = Follower(self._bus, subject, after=after)
        else:
            follower = Follower(self._bus, subject, since=since.moment - _CLOCKS)
        await follower.open()
        self._follower = follower

    async def next(self, *, within_s: float) -> Told | None:
        """The next one to be told, or None when none has come in time."""
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._follower is not None and (left := until - loop.time()) > 0:
            came = await self._follower.next(within_s=left)
            if came is not None and (entry := self._wanted(came.data)):
                return Told(came.sequence, entry)
        return None

    async def close(self) -> None:
        """Leave nothing behind, however often it is called."""
        left, self._left = self._left, None
        if left is not None:
            left()
        if self._follower is not None:
            await self._follower.close()

    def _missing(self, at: int) -> None:
        told = "Older calls than these are not kept for followers: the list of logs has what is on record"
        self._gap = Told(at, None, told)

    def _wanted(self, data: bytes) -> Entry | None:
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # the recorder has buried it
        # A slug may have been another function's before.
        if not isinstance(event, Finished) or event.function_id != self._function.id:
            return None
        if self._failed and not event.outcome.failed:
            return None
        if self._after is not None and datetime.fromtimestamp(event.timeline.done, UTC) <= self._after:
            return None
        return of_event(event)
