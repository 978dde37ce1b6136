"""Rate limits over HTTP: what every answer says, who is counted for what, and what two replicas let in together."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.domain.caller import Caller, User
from shared.store.client import Store
from tests.conftest import TAX
from tests.people import enrol, shoal
from tests.platform import ROOT, Platform, running

HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
WINDOW_S = 60
ROOM_S = 25.0  # a test that counts begins no later than this before the end of a minute
TENANT_EXECUTION, OWN_EXECUTION = 120, 7
USER = User(id=9, username="u", email="u@example.org")
EXECUTE = {"params": {"amount": 1000, "rate": 0.15}}


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Shoal with the limits it has by default, but for a tenant's own sum, which a test has to reach."""
    folder: Path = tmp_path_factory.mktemp("limited") / "data"
    settings = {"SHOAL_API_RATE_LIMITS": "true", "SHOAL_API_RATE_TENANT_EXECUTION": str(TENANT_EXECUTION)}
    async with running(folder, SHOAL_TRUSTED_PROXIES="127.0.0.1", **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def records(limited: Platform) -> AsyncIterator[Store]:
    store = Store(limited.ready["mongodb"], database="shoal")
    await store.global_upsert(
        "tenants", {"_id": "small"}, {"$set": {"rate_limits": {"execution": OWN_EXECUTION, "tenant_execution": 0}}}
    )
    yield store
    store.close()


class As:
    """Somebody with a token of their own, or from an address of their own."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def execute(self, **body: Any) -> httpx.Response:
        return await self.http.post("/api/functions/nothing/execute/", json={**EXECUTE, **body})

    async def statuses(self, times: int) -> list[int]:
        answers = await asyncio.gather(*(self.execute() for _ in range(times)))
        return [answer.status_code for answer in answers]


@pytest.fixture
async def someone(limited: Platform, records: Store) -> AsyncIterator[Any]:
    """`someone(tenant)`: a client with a new token in that tenant."""
    opened: list[httpx.AsyncClient] = []

    async def made(tenant: str) -> As:
        token = os.urandom(8).hex()
        await enrol(records, token, Caller(tenant=tenant, user=USER, role="admin"))
        http = httpx.AsyncClient(base_url=limited.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        opened.append(http)
        return As(http)

    yield made
    for http in opened:
        await http.aclose()


def stranger(platform: Platform, address: str, **headers: str) -> httpx.AsyncClient:
    """A client without a token, whose address a proxy tells."""
    return httpx.AsyncClient(base_url=platform.url, headers={"X-Forwarded-For": address, **headers}, timeout=30)


async def within_one_minute() -> None:
    """Return at a moment from which a test has `ROOM_S` until the minute ends."""
    left_s = WINDOW_S - time.time() % WINDOW_S
    if left_s < ROOM_S:
        await asyncio.sleep(left_s + 0.05)


def told(answer: httpx.Response) -> tuple[int, int]:
    """Limit and remaining, after a look at the reset: the end of the minute in which it was answered."""
    limit, remaining, reset = (int(answer.headers[name]) for name in HEADERS)
    assert reset % WINDOW_S == 0
    assert 0 < reset - time.time() <= WINDOW_S
    assert len(answer.headers.get_list(HEADERS[0])) == 1
    return limit, remaining


async def test_every_answer_says_what_is_left(someone: Any):
    await within_one_minute()
    me = await someone("says")
    made = await me.http.post("/api/apps/a/functions/", json={"name": "Rated", "execution_mode": "app"})
    assert (made.status_code, told(made)) == (201, (1000, 999))
    slug = made.json()["slug"]
    code = {"version": "1.0.0", "code": TAX, "is_active": True}
    uploaded = await me.http.post(f"/api/functions/{slug}/code/", json=code)
    assert (uploaded.status_code, told(uploaded)) == (201, (1000, 998))
    ran = await me.http.post(f"/api/functions/{slug}/execute/", json=EXECUTE)
    assert (ran.status_code, told(ran)) == (200, (100, 99))
    later = await me.http.post(f"/api/apps/a/functions/{slug}/execute", json={**EXECUTE, "async": True})
    assert (later.status_code, told(later)) == (202, (100, 98))
    for path, status in ((f"/api/functions/{slug}/", 200), ("/api/functions/none/", 404), ("/api/result/x/", 404)):
        answer = await me.http.get(path)
        assert answer.status_code == status
        limit, remaining = told(answer)
        assert limit == 1000
        assert remaining < 998
    assert told(answer) == (1000, 995)
    refused = await me.execute(params=3)
    assert (refused.status_code, told(refused)) == (400, (100, 97))


async def test_answers_to_nobody_known_are_counted_for_the_address(limited: Platform):
    await within_one_minute()
    async with stranger(limited, "192.0.2.1") as http:
        expected = 1000
        for method, path, status in (
            ("GET", "/api/functions/", 401),
            ("GET", "/nothing", 404),
            ("PUT", "/api/functions/x/", 405),
        ):
            answer = await http.request(method, path)
            expected -= 1
            assert (answer.status_code, told(answer)) == (status, (1000, expected))
        wrong = await http.post("/api/functions/x/execute/", headers={"Authorization": "Bearer wrong"}, json={})
        assert (wrong.status_code, told(wrong)) == (401, (100, 99))
        method = await http.get("/api/functions/x/execute/")
        assert (method.status_code, told(method)) == (405, (100, 98))


async def test_the_call_after_the_last_is_told_when_to_come_again(someone: Any):
    await within_one_minute()
    me, other = await someone("calls"), await someone("calls")
    statuses = await me.statuses(100)
    assert statuses == [404] * 100
    refused = await me.execute()
    now = time.time()
    said = refused.json()
    assert refused.status_code == 429
    assert told(refused) == (100, 0)
    assert said["error"] == said["message"] == said["detail"]
    assert said["error"].startswith("Rate limit exceeded: 100 execution requests a minute for each token.")
    again_s = int(refused.headers["retry-after"])
    assert said["retry_after"] == again_s
    assert abs(now + again_s - int(refused.headers["x-ratelimit-reset"])) <= 2
    assert (await other.execute()).status_code == 404
    assert (await me.http.get("/api/functions/")).status_code == 200


async def test_a_tenant_is_limited_as_a_whole_and_no_other(someone: Any):
    await within_one_minute()
    first, second, elsewhere = await someone("whole"), await someone("whole"), await someone("elsewhere")
    assert await first.statuses(90) == [404] * 90
    statuses = await second.statuses(90)
    assert (statuses.count(404), statuses.count(429)) == (TENANT_EXECUTION - 90, 90 - (TENANT_EXECUTION - 90))
    refused = await second.execute()
    assert refused.json()["error"].startswith("Rate limit exceeded: 120 execution requests a minute for each tenant.")
    assert told(refused) == (TENANT_EXECUTION, 0)
    assert told(await elsewhere.execute()) == (100, 99)


async def test_a_tenant_may_have_limits_of_its_own(someone: Any):
    await within_one_minute()
    me = await someone("small")
    statuses = await me.statuses(10)
    assert (statuses.count(404), statuses.count(429)) == (OWN_EXECUTION, 10 - OWN_EXECUTION)
    assert told(await me.http.get("/api/functions/")) == (1000, 999)


async def test_a_tenant_s_new_limits_hold_at_once(limited: Platform, someone: Any):
    await within_one_minute()
    me = await someone("grows")
    assert told(await me.execute()) == (100, 99)
    set_rates = ("tenant", "set", "grows", "--rate", "execution=200", "--rate", "tenant_execution=0")
    assert (await shoal(*set_rates, data_dir=limited.data_dir))[0] == 0
    async with asyncio.timeout(5):
        while told(await me.execute())[0] != 200:
            pass


async def test_guessing_tokens_is_limited_and_locks_nobody_out(limited: Platform, someone: Any):
    await within_one_minute()
    known = await someone("guess")
    async with stranger(limited, "192.0.2.2") as guesser:
        calls = [
            guesser.post("/api/functions/x/execute/", headers={"Authorization": f"Bearer {number}"}, json={})
            for number in range(130)
        ]
        statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
        assert (statuses.count(401), statuses.count(429)) == (100, 30)
        same_address = {**known.http.headers, "X-Forwarded-For": "192.0.2.2"}
        known.http.headers = httpx.Headers(same_address)
        assert (await known.execute()).status_code == 404
    async with stranger(limited, "192.0.2.3") as neighbour:
        assert (await neighbour.post("/api/functions/x/execute/", json={})).status_code == 401


async def test_logins_are_limited_before_anything_is_looked_at(limited: Platform):
    await within_one_minute()
    async with stranger(limited, "2001:db8::1") as one, stranger(limited, "2001:db8::2") as same_network:
        statuses = []
        for number in range(12):
            http = (one, same_network)[number % 2]
            answer = await http.post("/api/auth/nothing/", json={})
            assert told(answer) == (10, max(0, 9 - number))
            statuses.append(answer.status_code)
        again = await one.post(f"{limited.url}/api//auth/jwt/token", json={"username": "x", "password": "y"})
        assert (again.status_code, told(again)) == (429, (10, 0))
    assert statuses == [404] * 10 + [429] * 2
    async with stranger(limited, "2001:db8:0:1::1") as elsewhere:
        assert told(await elsewhere.post("/api/auth/nothing/")) == (10, 9)


async def test_guesses_at_one_s_own_password_are_as_few_as_at_a_login(someone: Any):
    await within_one_minute()
    me = await someone("guesses")
    body = {"password": "another password", "current_password": "guess"}
    answers = [await me.http.patch("/api/users/me/", json=body) for _ in range(11)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert 429 not in [answer.status_code for answer in answers[:-1]]
    assert (await me.http.get("/api/users/me/")).status_code == 200
    assert (await me.http.patch("/api/users/me/", json={"full_name": "Una"})).status_code == 200


async def test_what_is_switched_off_says_nothing(platform: Platform, client: httpx.AsyncClient):
    answer = await client.get("/api/functions/")
    assert not any(name in answer.headers for name in HEADERS)


async def test_two_replicas_let_in_one_limit(limited: Platform, records: Store, someone: Any, tmp_path: Path):
    """A second API process on the same servers; both are hammered with one token."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    environ |= {"NATS_URL": limited.ready["nats"], "MONGODB_URL": limited.ready["mongodb"]}
    with socket.create_server(("127.0.0.1", 0)) as door, (tmp_path / "api.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.api", cwd=ROOT, stdout=log, stderr=log, pass_fds=[door.fileno()],
            env=environ | {"SHOAL_API_FD": str(door.fileno()), "SHOAL_ADMIN_TOKEN": limited.token},
        )  # fmt: skip
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
    try:
        me = await someone("replicas")
        async with httpx.AsyncClient(base_url=address, headers=me.http.headers, timeout=30) as http:
            assert (await http.get("/api/functions/")).status_code == 200
            await within_one_minute()
            both = await asyncio.gather(me.statuses(100), As(http).statuses(100))
        statuses = both[0] + both[1]
        assert 95 <= statuses.count(404) <= 110
        assert statuses.count(404) + statuses.count(429) == 200
    finally:
        process.terminate()
        await process.wait()
