"""Rate limits: which class a request is of, who it is counted for, and what its answer says of that."""

import re
from collections.abc import Awaitable, Callable
from ipaddress import IPv6Address
from typing import Any

from services.api.quota import Count, Quota
from shared import telemetry
from shared.domain.caller import Caller
from shared.domain.problem import Problem
from shared.domain.rates import WINDOW_S, Class, Rates

Scope = dict[str, Any]
Header = tuple[bytes, bytes]

METER = "shoal.meter"  # where a request's scope has its Meter; not there where nothing is limited
_AUTHENTICATION = ("/api/auth/", "/_allauth/")
_SLASHES = re.compile("//+")
_LONGEST_NAME = 255
_OUR_FAULT = 500


def class_of(path: str, *, executes: bool) -> Class:
    """What a request to this path is counted as."""
    if executes:
        return "execution"
    if "//" in path:  # as the framework reads it
        path = _SLASHES.sub("/", path)
    return "authentication" if path.startswith(_AUTHENTICATION) else "other"


class RateLimits:
    """All that the meters of requests share: the platform's `rates`, who has others, and the counts."""

    def __init__(self, quota: Quota, rates: Rates, *, rates_of: Callable[[str], Awaitable[Rates]]) -> None:
        self.quota = quota
        self.rates = rates
        self.rates_of = rates_of

    def meter(self, scope: Scope, *, executes: bool) -> "Meter":
        """The meter of one request."""
        return Meter(self, class_of(scope["path"], executes=executes), scope.get("client"))


class Meter:
    """Counts one request. Its answer tells of the count that has the fewest requests left.

    `asked` says that somebody was counted, or nobody on purpose; else the answer will be, for the address.
    """

    __slots__ = ("_class", "_client", "_count", "_limit", "_limits", "_remaining", "asked")

    def __init__(self, limits: RateLimits, asked_for: Class, client: tuple[str, int] | None) -> None:
        self.asked = False
        self._limits = limits
        self._class: Class = asked_for
        self._client = client
        self._count: Count | None = None
        self._limit = self._remaining = 0

    @property
    def before_all(self) -> bool:
        """Whether the address is counted before anything else is done: guessing must cost us nothing."""
        return self._class == "authentication"

    async def spend(self, caller: Caller) -> None:
        """Count a request of this caller: for its token and for its tenant. Raises Problem(rate_limited)."""
        who = caller.token_id or f"{caller.tenant}/{caller.user.id}"
        await self._spend_of(caller.tenant, "token", who)

    async def spend_outside(self, tenant: str, user: str) -> None:
        """Count a request of one whom the tenant does not know: for the `user` of an app, or else for the address, and
        for the tenant that is asked. Raises Problem(rate_limited)."""
        await self._spend_of(tenant, *(("user", user) if user else ("address", address(self._client))))

    async def _spend_of(self, tenant: str, subject: str, who: str) -> None:
        self.asked = True
        rates, asked_for = await self._limits.rates_of(tenant), self._class
        own = self._spend_here(subject, who, rates.each(asked_for))
        own = own or await self._spend(subject, who, rates.each(asked_for))
        if self._spend_here("tenant", tenant, rates.tenant(asked_for)) is None:
            try:
                await self._spend("tenant", tenant, rates.tenant(asked_for))
            except Problem:
                if own is not None:
                    self._limits.quota.give_back(own)
                raise

    async def spend_login(self, tenant: str, username: str) -> None:
        """Count an attempt to log in as this user, from wherever. Raises Problem(rate_limited)."""
        self.asked = True
        rates = await self._limits.rates_of(tenant)
        await self._spend("user", f"{tenant}/{username[:_LONGEST_NAME].casefold()}", rates.authentication)

    async def spend_address(self) -> None:
        """Count a request of nobody known, for its address. Raises Problem(rate_limited)."""
        self.asked = True
        await self._spend("address", address(self._client), self._limits.rates.each(self._class))

    async def answered(self, status: int) -> Problem | None:
        """Count for its address who was answered without a look at who asks; but not for what is our own fault."""
        try:
            if status < _OUR_FAULT:
                await self.spend_address()
            else:
                self._look()
        except Problem as refused:
            return refused
        return None

    def headers(self) -> list[Header]:
        """What the answer says; nothing where there is no limit."""
        if self._count is None:
            return []
        return [
            (b"x-ratelimit-limit", b"%d" % self._limit),
            (b"x-ratelimit-remaining", b"%d" % self._remaining),
            (b"x-ratelimit-reset", b"%d" % ((self._count.window + 1) * WINDOW_S)),
        ]

    def _look(self) -> None:
        if limit := self._limits.rates.each(self._class):
            self._tell(self._limits.quota.look(self._named("address", address(self._client))), limit)

    def _spend_here(self, subject: str, who: str, limit: int) -> Count | None:
        count = self._limits.quota.spend_here(self._named(subject, who)) if limit else None
        if count is not None:
            self._tell(count, limit)
        return count

    async def _spend(self, subject: str, who: str, limit: int) -> Count | None:
        if not limit:
            return None
        name, quota = self._named(subject, who), self._limits.quota
        count = await quota.spend(name, limit)
        if count is None:
            self._count = None  # whatever was counted before: this is what it was refused for
            self._tell(quota.look(name), limit)
            telemetry.RATE_LIMITED.labels(self._class, subject).inc()
            again_s = quota.left_s()
            raise Problem("rate_limited", self._sentence(subject, limit, again_s), retry_after_s=again_s)
        self._tell(count, limit)
        return count

    def _tell(self, count: Count, limit: int) -> None:
        remaining = count.remaining(limit)
        if self._count is None or remaining < self._remaining:
            self._count, self._limit, self._remaining = count, limit, remaining

    def _named(self, subject: str, who: str) -> str:
        return f"{self._class}:{subject}:{who}"

    def _sentence(self, subject: str, limit: int, again_s: int) -> str:
        requests = "requests" if self._class == "other" else f"{self._class} requests"
        return f"Rate limit exceeded: {limit} {requests} a minute for each {subject}. Try again in {again_s} s."


def address(client: tuple[str, int] | None) -> str:
    """Whom a client's address stands for. One who has IPv6 has at least a /64 of addresses."""
    if client is None:
        return "unknown"
    text = client[0]
    if ":" not in text:
        return text[:_LONGEST_NAME]
    try:
        six = IPv6Address(text.partition("%")[0])
    except ValueError:  # a proxy's word
        return text[:_LONGEST_NAME]
    return str(six.ipv4_mapped or IPv6Address(int(six) >> 64 << 64))
