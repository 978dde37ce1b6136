"""Who is counted for what, and what an answer says of it: the meter behind the door, with a counter in memory."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.api.dialects.rest import execute, problems
from services.api.door import Door
from services.api.quota import Quota
from services.api.rates import METER, Meter, RateLimits, address, class_of
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from shared.domain.rates import Rates

HERE, THERE = ("192.0.2.1", 1), ("192.0.2.2", 1)
ADA = User(id=1, username="ada", email="ada@example.org")
START = 29_000_000 * 60


class Counters:
    """What the bus does, within one process."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    async def add(self, subject: str, amount: int, *, timeout_s: float) -> int:
        assert timeout_s > 0
        self.totals[subject] = self.totals.get(subject, 0) + amount
        return self.totals[subject]


def limits(**rates: int) -> RateLimits:
    quota = Quota(Counters(), most=100, clock=lambda: START + 20.25)
    platform = Rates(**rates)

    async def rates_of(_tenant: str) -> Rates:
        return platform

    return RateLimits(quota, platform, rates_of=rates_of)


def meter(of: RateLimits, path: str = "/api/functions/", client: tuple[str, int] | None = HERE) -> Meter:
    return of.meter({"path": path, "client": client}, executes=execute.target(path) is not None)


def caller(token: str, tenant: str = "acme") -> Caller:
    return Caller(tenant=tenant, user=ADA, role="user", token_id=token)


class Got:
    """An answer, put together."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, {}, b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert self.status == 0
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message["body"]


async def ask(door: Door, path: str, client: tuple[str, int] | None = HERE) -> Got:
    got = Got()
    await door({"type": "http", "method": "GET", "path": path, "client": client}, receive, got)
    return got


async def receive() -> dict[str, Any]:
    raise AssertionError


def answering(problem: Problem) -> Any:
    async def framework(_scope: Any, _receive: Any, send: Any) -> None:
        await execute.answer(send, *problems.rendered(problem))

    return framework


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/functions/f/execute/", "execution"),
        ("/api/apps/a/functions/f/execute", "execution"),
        ("/api/auth/jwt/token/", "authentication"),
        ("/api/auth/jwt/token/refresh/", "authentication"),
        ("/_allauth/app/v1/auth/login", "authentication"),
        ("//api/auth/jwt/token", "authentication"),
        ("/api///auth//jwt/token", "authentication"),
        ("/api/authors/", "other"),
        ("/", "other"),
    ],
)
def test_classes(path: str, expected: str) -> None:
    assert class_of(path, executes=execute.target(path) is not None) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("no:address", "no:address"),
        ("x" * 1000, "x" * 255),
    ],
)
def test_addresses(host: str, expected: str) -> None:
    assert address((host, 1)) == expected


def test_no_address() -> None:
    assert address(None) == "unknown"


async def test_a_token_and_its_tenant_are_counted_and_the_scarcer_is_told() -> None:
    of = limits(other=3, tenant_other=4)
    told = []
    for token in ("a", "a", "b"):
        one = meter(of)
        await one.spend(caller(token))
        told.append([int(value) for _, value in one.headers()])
    assert told == [[3, 2, START + 60], [3, 1, START + 60], [4, 1, START + 60]]


async def test_what_the_tenant_refuses_is_not_counted_for_the_token() -> None:
    of = limits(other=2, tenant_other=1)
    await meter(of).spend(caller("a"))
    for _ in range(5):
        refused = meter(of)
        with pytest.raises(Problem, match=r"^Rate limit exceeded: 1 requests a minute for each tenant\.") as why:
            await refused.spend(caller("a"))
        assert (why.value.code, why.value.retry_after_s) == ("rate_limited", 40)
        assert refused.headers()[:2] == [(b"x-ratelimit-limit", b"1"), (b"x-ratelimit-remaining", b"0")]
    elsewhere = meter(of)
    await elsewhere.spend(caller("a", tenant="other"))
    with pytest.raises(Problem, match="for each token"):
        await meter(of).spend(caller("a", tenant="another"))


async def test_a_user_is_counted_wherever_the_attempts_come_from() -> None:
    of = limits(authentication=2)
    path = "/api/auth/jwt/token/"
    await meter(of, path, HERE).spend_login("acme", "Ada")
    await meter(of, path, THERE).spend_login("acme", "ada")
    before = REGISTRY.get_sample_value("shoal_rate_limited_total", {"class": "authentication", "subject": "user"}) or 0
    with pytest.raises(Problem, match="for each user"):
        await meter(of, path, ("192.0.2.3", 1)).spend_login("acme", "ADA")
    after = REGISTRY.get_sample_value("shoal_rate_limited_total", {"class": "authentication", "subject": "user"})
    assert after == before + 1
    await meter(of, path, HERE).spend_login("elsewhere", "ada")


async def test_no_limit_says_nothing_and_refuses_nobody() -> None:
    of = limits(other=0, tenant_other=0)
    for _ in range(50):
        one = meter(of)
        await one.spend(caller("a"))
        assert one.headers() == []


async def test_an_address_is_refused_in_place_of_the_answer_it_would_have_had() -> None:
    """And a connection whose body was not read is still closed."""
    door = Door(None, answering(Problem("too_large", "too large")), most=1, limits=limits(other=2))  # type: ignore[arg-type]
    first, second, third = [await ask(door, "/x") for _ in range(3)]
    assert (first.status, second.status, third.status) == (413, 413, 429)
    assert second.headers[b"x-ratelimit-remaining"] == b"0"
    assert third.headers[b"connection"] == b"close"
    assert third.headers[b"retry-after"] == b"40"
    assert b'"retry_after":40' in third.body
    assert int(third.headers[b"content-length"]) == len(third.body)
    assert (await ask(door, "/x", THERE)).status == 413


async def test_our_own_fault_costs_the_address_nothing() -> None:
    door = Door(None, answering(Problem("unavailable", "away")), most=1, limits=limits(other=2))  # type: ignore[arg-type]
    for _ in range(5):
        got = await ask(door, "/x")
        assert (got.status, got.headers[b"x-ratelimit-remaining"]) == (503, b"2")
    full = Door(None, None, most=0, limits=limits(other=2))  # type: ignore[arg-type]
    for _ in range(5):
        got = await ask(full, "/x")
        assert (got.status, got.headers[b"x-ratelimit-remaining"]) == (503, b"2")


async def test_logins_over_the_limit_never_reach_the_framework() -> None:
    reached = []

    async def framework(scope: Any, _receive: Any, send: Any) -> None:
        reached.append(scope[METER])
        await execute.answer(send, *problems.rendered(Problem("unauthenticated", "no")))

    door = Door(None, framework, most=1, limits=limits(authentication=2))  # type: ignore[arg-type]
    statuses = [(await ask(door, "/api/auth/jwt/token/")).status for _ in range(4)]
    assert (statuses, len(reached)) == ([401, 401, 429, 429], 2)
