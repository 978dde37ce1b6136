"""The log of a function as it is made: server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.bus import broker, streams
from shared.bus.broker import Bus
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.store.client import Store
from shared.store.functions import Functions
from tests.api.apps.ends import end, report
from tests.api.apps.sse import following
from tests.conftest import Deploy
from tests.platform import Platform, running

GOOD = Outcome(status="SUCCESS")
_numbers = iter(range(950_000, 990_000))


def path_of(slug: str) -> str:
    return f"/v1/tests/functions/{slug}/logs/stream"


async def function_of(store: Store, slug: str, tenant: str = "default") -> Function:
    found = await Functions(store, tenant).by_slug(slug)
    assert found is not None
    return found


async def ended(bus: Bus, function: Function, outcome: Outcome = GOOD, **fields: Any) -> int:
    """A call has ended; its number."""
    number = next(_numbers)
    await report(bus, end(function, outcome, id=number, **fields))
    return number


async def test_calls_are_told_as_they_end(client: httpx.AsyncClient, deploy: Deploy) -> None:
    slug, other = await deploy("def main(params, user_data):\n print('hi')\n return 1"), await deploy()
    async with following(client, path_of(slug)) as events:
        await client.post(f"/api/functions/{other}/execute/", json={"params": {}})
        made = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
        told = await events.next()
    assert (told.kind, told.data["task_id"]) == ("log", made.json()["task_id"])
    assert [line["message"] for line in told.data["consoleLogs"]] == ["hi"]
    (listed,) = (await client.get(path_of(slug).removesuffix("/stream"))).json()["logs"]
    assert listed == told.data


async def test_a_follower_goes_on_where_it_was(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    """Without loss or repeats, however often it comes back."""
    slug = await deploy()
    function = await function_of(store, slug)
    first = [await ended(bus, function) for _ in range(3)]
    told: list[int] = []
    last = ""
    async with following(client, path_of(slug), params={"last_event_id": "2026-01-01"}) as events:
        while told != first:
            event = await events.next()
            if event.kind == "log":  # the stream of events is younger than that day: a gap is told first
                told.append(event.data["id"])
                last = str(event.id)
    more: list[int] = []
    told = []
    for by_header in (True, False, True):
        more += [await ended(bus, function) for _ in range(40)]
        sent = {"headers": {"Last-Event-ID": last}} if by_header else {"params": {"last_event_id": last}}
        async with following(client, path_of(slug), **sent) as events:
            for _ in range(30):  # the rest when it comes back
                event = await events.next()
                told.append(event.data["id"])
                last = str(event.id)
    async with following(client, path_of(slug), headers={"Last-Event-ID": last}) as events:
        while len(told) < len(more):
            told.append((await events.next()).data["id"])
    assert told == more


async def test_a_time_is_a_place_too(client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    await ended(bus, function, done=time.time() - 2)
    moment = datetime.now(UTC)
    after = await ended(bus, function, done=moment.timestamp() + 0.002)
    sent = {"Last-Event-ID": moment.isoformat()}
    async with following(client, path_of(slug), headers=sent) as events:
        assert (await events.next()).data["id"] == after


async def test_only_failures_where_those_are_wanted(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    async with following(client, path_of(slug), params={"level": "error"}) as events:
        await ended(bus, function)
        failed = await ended(bus, function, failure("ValueError", "x"))
        assert (await events.next()).data["id"] == failed


@pytest.mark.parametrize("last", ["yesterday", "1-2", "-1"])
async def test_a_place_that_is_none_is_refused(client: httpx.AsyncClient, deploy: Deploy, last: str) -> None:
    answer = await client.get(path_of(await deploy()), headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_INVALID_SCHEMA")


async def test_a_head_ends_at_once(client: httpx.AsyncClient, deploy: Deploy) -> None:
    answer = await asyncio.wait_for(client.head(path_of(await deploy())), 10)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


Fast = tuple[Platform, httpx.AsyncClient, Bus, Function]


@pytest.fixture(scope="module")
async def few(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform that lets few follow, and asks them often."""
    folder = tmp_path_factory.mktemp("few") / "data"
    settings = {"SHOAL_API_KEEP_ALIVE_S": "0.2", "SHOAL_API_FOLLOWERS": "3", "SHOAL_API_TENANT_FOLLOWERS": "2"}
    async with running(folder, **settings) as platform:
        yield platform


@pytest.fixture
async def owner(few: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with few.client() as client:
        yield client


async def made(client: httpx.AsyncClient, name: str) -> str:
    fields = {"name": name, "execution_mode": "proxy", "webhook_url": "https://example.com/"}
    answer = await client.post("/api/apps/tests/functions/", json=fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["slug"])


async def followers(platform: Platform) -> int:
    async with httpx.AsyncClient() as http:
        page = await http.get(platform.ready["services"]["api"]["metrics"].replace("/metrics", "/healthz"))
    return int(page.json()["followers"])


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await holds():
            await asyncio.sleep(0.02)


async def test_a_sign_of_life(few: Platform, owner: httpx.AsyncClient) -> None:
    async with following(owner, path_of(await made(owner, "Quiet"))) as events:
        for _ in range(3):
            assert (await events.next(comments=True)).data == "keep-alive"


async def test_followers_are_bounded_and_leave_nothing_behind(few: Platform, owner: httpx.AsyncClient) -> None:
    path = path_of(await made(owner, "Bounded"))
    async with broker.connect(few.ready["nats"], name="test", timeout_s=5) as bus:

        async def consumers() -> int:
            return (await bus.stream.stream_info(streams.EVENTS)).state.consumer_count

        async def none_left() -> bool:
            return await followers(few) == 0

        await until(none_left)
        before = await consumers()
        async with following(owner, path), following(owner, path):
            assert (await followers(few), await consumers()) == (2, before + 2)
            refused = await owner.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "QUOTA_RATE_LIMIT")
            assert int(refused.headers["retry-after"]) > 0
        await until(none_left)

        async def as_before() -> bool:
            return await consumers() == before

        await until(as_before)
        async with following(owner, path):
            pass


async def test_a_revoked_token_follows_no_longer(few: Platform, owner: httpx.AsyncClient) -> None:
    path = path_of(await made(owner, "Revoked"))
    token = (await owner.post("/api/tokens/", json={"name": "follower"})).json()
    async with httpx.AsyncClient(base_url=few.url, headers={"Authorization": f"Bearer {token['token']}"}) as client:
        async with following(client, path) as events:
            assert (await events.next(comments=True)).data == "keep-alive"
            assert (await owner.delete(f"/api/tokens/{token['id']}/")).status_code in {200, 204}
            assert await events.end()
        assert (await client.get(path)).status_code == 401


async def test_a_slow_client_gets_everything_and_holds_up_nobody(few: Platform, owner: httpx.AsyncClient) -> None:
    slug = await made(owner, "Slow")
    store = Store(few.ready["mongodb"], database="shoal")
    async with broker.connect(few.ready["nats"], name="test", timeout_s=5) as bus:
        function = await function_of(store, slug)
        text = "x" * 50_000
        async with following(owner, path_of(slug)) as slow, following(owner, path_of(slug)) as quick:
            sent = [await ended(bus, function, Outcome(status="SUCCESS", stdout=text)) for _ in range(400)]
            assert [(await quick.next()).data["id"] for _ in sent] == sent
            assert [(await slow.next()).data["id"] for _ in sent] == sent
    store.close()


async def test_what_the_stream_has_no_more_is_told(few: Platform, owner: httpx.AsyncClient) -> None:
    slug = await made(owner, "Gap")
    store = Store(few.ready["mongodb"], database="shoal")
    async with broker.connect(few.ready["nats"], name="test", timeout_s=5) as bus:
        function = await function_of(store, slug)
        gone = [await report(bus, end(function, GOOD, id=next(_numbers))) for _ in range(3)]
        await bus.stream.purge_stream(streams.EVENTS, seq=gone[-1] + 1)
        kept = await ended(bus, function)
        for last in (str(gone[0]), str(10**12), "2026-01-01"):
            async with following(owner, path_of(slug), headers={"Last-Event-ID": last}) as events:
                gap = await events.next()
                assert (gap.kind, gap.id) == ("gap", gone[-1])
                assert "record" in gap.data["message"]
                assert (await events.next()).data["id"] == kept
        async with following(owner, path_of(slug), headers={"Last-Event-ID": str(gone[-1])}) as events:
            assert (await events.next()).data["id"] == kept  # nothing is missing
    store.close()


async def test_followers_are_let_go_at_the_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with running(tmp_path_factory.mktemp("end") / "data") as platform, platform.client() as client:
        async with following(client, path_of(await made(client, "Ending"))) as events:
            platform.process.terminate()
            assert await events.end()
        assert await asyncio.wait_for(platform.process.wait(), 15) == 0
