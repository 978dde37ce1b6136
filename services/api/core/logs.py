"""The logs of functions: what is on record of their calls, and those that end now, as they end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime

from services.api.core.entries import Entry, of_record
from services.api.core.following import Following, Since
from services.api.core.lines import Lines
from services.api.core.recent import Recent
from services.api.core.rights import must_read
from shared import telemetry
from shared.bus.broker import Bus
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.invocations import Invocations

_AGAIN_S = 5


class Logs:
    """The logs of functions. Every method raises Problem(unavailable) when the bus or the store is away.

    At most `most` may follow in this process, `most_of_one` for any one tenant. Every `keep_alive_s` each of them is
    asked again who it is.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        recent: Recent,
        *,
        lines: Lines,
        most: int,
        most_of_one: int,
        keep_alive_s: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._recent = recent
        self._lines = lines
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

    async def follow(
        self, caller: Caller, function: Function, since: Since, *, failed: bool, lines: bool = False
    ) -> Following:
        """The calls that end from now on, or since then, and with `lines` what they write from now on. To be closed.

        Raises Problem(rate_limited).
        """
        must_read(caller)
        self._enter(caller.tenant)
        following = Following(self._bus, function, failed=failed, left=lambda: self._leave(caller.tenant))
        try:
            await following.open(since, self._lines if lines else None)
        except BaseException:
            await following.close()
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
        telemetry.LOG_FOLLOWERS.inc()

    def _leave(self, tenant: str) -> None:
        self._following[tenant] -= 1
        telemetry.LOG_FOLLOWERS.dec()
        if not self._following[tenant]:
            del self._following[tenant]
