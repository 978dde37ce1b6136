"""Channels from outside, on a whole platform with two replicas of the triggers service."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from shared import embedded
from shared.domain.app import App
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.tokens import Tokens
from tests.api.apps.edge import SECRET, signed
from tests.people import account, token_for
from tests.platform import ROOT, Platform, running

WITHIN_S = 20.0
KEEP_ALIVE_S = 0.5
STREAMS = 30
STREAMS_OF_TENANT = 25
PAGE = "https://shop.example.org"
SETTINGS = {
    "SHOAL_TRIGGERS_KEEP_ALIVE_S": str(KEEP_ALIVE_S),
    "SHOAL_TRIGGERS_EVENT_STREAMS": str(STREAMS),
    "SHOAL_TRIGGERS_TENANT_EVENT_STREAMS": str(STREAMS_OF_TENANT),
    "SHOAL_TRIGGERS_TOKEN_CACHE_S": "0",
}


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("channels-servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory, servers: embedded.Servers) -> AsyncIterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("channels") / "data"
    urls = {"NATS_URL": servers.nats_url, "MONGODB_URL": servers.mongodb_url}
    async with running(folder, **urls, **SETTINGS) as platform:
        yield platform


@asynccontextmanager
async def replica(
    platform: Platform, servers: embedded.Servers
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A second triggers service; the URL of its door."""
    port = embedded.free_port()
    own = {
        "NATS_URL": servers.nats_url,
        "MONGODB_URL": servers.mongodb_url,
        "SHOAL_TRIGGERS_PORT": str(port),
        "SHOAL_SECRET_KEY_FILE": str(platform.data_dir / "secret.key"),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    with platform.log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.triggers",
            cwd=ROOT, env={**kept, **SETTINGS, **own}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        async with asyncio.timeout(WITHIN_S), httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(url)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield url, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), timeout=WITHIN_S)


@pytest.fixture(scope="module")
async def other(platform: Platform, servers: embedded.Servers) -> AsyncIterator[str]:
    async with replica(platform, servers) as (url, _):
        yield url


@pytest.fixture(scope="module")
async def store(platform: Platform) -> AsyncIterator[Store]:
    store = Store(platform.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=platform.url, headers={"Authorization": f"Bearer {platform.token}"}, timeout=WITHIN_S
    ) as client:
        yield client


@pytest.fixture(scope="module")
async def app(client: httpx.AsyncClient, store: Store) -> App:
    """With a function, end users, and a page of another origin."""
    code = """export default async (req, ctx) => {
      for (const payload of await req.json()) await ctx.publish("news", payload, {event: "made"});
      return "told";
    }"""
    made = await client.post("/api/apps/shop/functions/", json={"name": "App Maker", "execution_mode": "app"})
    assert made.status_code == 201, made.text
    app = await Apps(store, "default").find("shop")
    assert app is not None
    deployed = await client.post(f"/v1/{app.public_id}/functions", json={"name": "teller", "code": code})
    assert deployed.status_code == 200, deployed.text
    settings = {"end_users": {"jwt_secret": SECRET}, "allowed_origins": [PAGE]}
    changed = await client.patch(f"/v1/{app.public_id}/config", json=settings)
    assert changed.status_code == 200, changed.text
    return app


class Events:
    """What a stream says, line by line."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def line(self) -> str:
        async with asyncio.timeout(WITHIN_S):
            return await anext(self._lines)

    async def next(self) -> tuple[str, Any]:
        """The next event: its name, and its data."""
        name = ""
        while True:
            line = await self.line()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))

    async def ends(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            async for _ in self._lines:
                pass


@asynccontextmanager
async def listening(url: str, path: str, token: str = "", **options: Any) -> AsyncIterator[Events]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx.AsyncClient(base_url=url, timeout=WITHIN_S, headers=headers) as http,
        http.stream("GET", path, **options) as answer,
    ):
        if answer.status_code != 200:
            raise AssertionError((await answer.aread(), answer.status_code))
        events = Events(answer)
        assert await events.line() == ": listening"
        yield events


@asynccontextmanager
async def socket(url: str, app: App, token: str) -> AsyncIterator[ClientConnection]:
    where = f"{url.replace('http', 'ws', 1)}/v1/{app.public_id}/realtime?token={token}"
    async with connect(where, proxy=None) as ws:
        assert (await told(ws))["type"] == "connected"
        yield ws


async def told(ws: ClientConnection) -> Any:
    """The next frame that is no heartbeat."""
    async with asyncio.timeout(WITHIN_S):
        while (frame := json.loads(await ws.recv()))["type"] == "heartbeat":
            pass
    return frame


async def said(ws: ClientConnection, **frame: Any) -> Any:
    await ws.send(json.dumps(frame))
    return await told(ws)


def place(app: App, channel: str) -> str:
    return f"/v1/{app.public_id}/realtime/{channel}"


async def test_one_push_reaches_sockets_and_streams_of_both_replicas(
    platform: Platform, client: httpx.AsyncClient, app: App, other: str
) -> None:
    user = signed(sub="ann")
    here = platform.ready["triggers"]
    async with (
        socket(here, app, user) as first,
        socket(other, app, user) as second,
        listening(here, place(app, "news"), user) as third,
        listening(other, place(app, "news"), platform.token) as fourth,
        listening(platform.url, place(app, "news") + f"?token={user}") as fifth,  # through the API
    ):
        for ws in (first, second):
            assert await said(ws, type="subscribe", channel="news") == {"type": "subscribed", "channel": "news"}
        pushed = await client.post(place(app, "news"), json={"event": "paid", "payload": {"ü": 1}})
        assert (pushed.status_code, pushed.json()) == (200, {"ok": True})
        for ws in (first, second):
            assert await told(ws) == {"type": "message", "channel": "news", "event": "paid", "payload": {"ü": 1}}
        for events in (third, fourth, fifth):
            assert await events.next() == ("paid", {"ü": 1})


async def test_what_a_function_publishes_reaches_clients_of_another_replica(
    client: httpx.AsyncClient, app: App, other: str
) -> None:
    payloads = [{"n": number} for number in range(50)]
    async with listening(other, place(app, "news"), signed(sub="ann")) as events:
        called = await client.post(f"/v1/{app.public_id}/fn/teller", json=payloads)
        assert (called.status_code, called.json()) == (200, "told")
        assert [await events.next() for _ in payloads] == [("made", payload) for payload in payloads]


async def test_a_function_in_python_publishes(client: httpx.AsyncClient, app: App, other: str) -> None:
    source = "def handler(request, ctx):\n    ctx.publish('news', {'from': 'python'})\n    return 'told'"
    body = {"name": "pyteller", "code": source, "runtime": "python"}
    deployed = await client.post(f"/v1/{app.public_id}/functions", json=body)
    assert deployed.status_code == 200, deployed.text
    async with listening(other, place(app, "news"), signed(sub="ann")) as events:
        called = await client.post(f"/v1/{app.public_id}/fn/pyteller")
        assert (called.status_code, called.text) == (200, "told")
        assert await events.next() == ("", {"from": "python"})


async def test_a_service_publishes_by_its_socket_to_another_replica(platform: Platform, app: App, other: str) -> None:
    async with (
        socket(other, app, platform.token) as service,
        socket(platform.ready["triggers"], app, signed(sub="ann")) as user,
    ):
        await said(user, type="subscribe", channel="user:ann")
        answer = await said(service, type="publish", channel="user:ann", payload=[1])
        assert answer == {"type": "published", "channel": "user:ann"}
        assert await told(user) == {"type": "message", "channel": "user:ann", "payload": [1]}
        assert (await said(user, type="publish", channel="news", payload=1))["code"] == "forbidden"
        assert (await said(user, type="subscribe", channel="user:bob"))["code"] == "forbidden"


async def test_any_name_is_a_channel_and_json_is_sent_on_one_line(client: httpx.AsyncClient, app: App) -> None:
    token = client.headers["Authorization"].removeprefix("Bearer ")
    async with listening(str(client.base_url), place(app, "a%2Fb%20*%E2%9C%93"), token) as events:
        body = b'{"payload": {"a":\n  [1,\r\n 2]}}'
        assert (await client.post(place(app, "a%2Fb%20*%E2%9C%93"), content=body)).status_code == 200
        assert await events.line() == ""
        assert await events.line() == 'data: {"a":[1,2]}'


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "VALIDATION_INVALID_SCHEMA"),
        (b"{", 400, "VALIDATION_INVALID_SCHEMA"),
        (b"[]", 400, "VALIDATION_INVALID_SCHEMA"),
        (b"{}", 400, "VALIDATION_MISSING_FIELD"),
        (b'{"payload": 1, "more": 2}', 400, "VALIDATION_INVALID_SCHEMA"),
        (b'{"payload": 1, "event": 2}', 400, "VALIDATION_INVALID_SCHEMA"),
        (b'{"payload": 1, "event": "a\\nb"}', 400, "VALIDATION_INVALID_SCHEMA"),
        (b'{"payload": "\xff"}', 400, "VALIDATION_INVALID_SCHEMA"),
        (b'{"payload": ' + b"[" * 50_000 + b"]" * 15_000, 400, "VALIDATION_INVALID_SCHEMA"),
        (b'{"payload": "' + b"x" * 65_536 + b'"}', 413, "PAYLOAD_TOO_LARGE"),
        (b'{"payload": "' + b"x" * 1_000_000 + b'"}', 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_what_cannot_be_pushed_over_http(
    client: httpx.AsyncClient, app: App, body: bytes, status: int, *, code: str
) -> None:
    answer = await client.post(place(app, "news"), content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert set(answer.json()["error"]) - {"details"} == {"code", "message", "remediation"}


async def test_who_may_do_what(platform: Platform, store: Store, app: App) -> None:
    own = await account(store, "reader")
    reader = await token_for(store, own, scopes=frozenset({"functions:read"}))
    stranger = await token_for(store, await account(store, "mallory", tenant="rival"))
    past = signed(sub="ann", exp=1)
    forged = signed(SECRET[::-1], sub="ann")
    async with httpx.AsyncClient(base_url=platform.ready["triggers"], timeout=WITHIN_S) as http:
        for method, channel, token, status, code in (
            ("GET", "news", "", 401, "AUTH_REQUIRED"),
            ("GET", "news", "shoal_nonsense", 401, "AUTH_INVALID_TOKEN"),
            ("GET", "news", stranger, 401, "AUTH_INVALID_TOKEN"),
            ("GET", "news", forged, 401, "AUTH_INVALID_END_USER_JWT"),
            ("GET", "news", past, 401, "AUTH_END_USER_JWT_EXPIRED"),
            ("GET", "news", reader, 403, "AUTH_INSUFFICIENT_PERMISSIONS"),
            ("GET", "user:bob", signed(sub="ann"), 403, "AUTH_INSUFFICIENT_PERMISSIONS"),
            ("GET", "c" * 201, platform.token, 400, "VALIDATION_INVALID_SCHEMA"),
            ("GET", "%00", platform.token, 400, "VALIDATION_INVALID_SCHEMA"),
            ("POST", "news", signed(sub="ann"), 403, "AUTH_INSUFFICIENT_PERMISSIONS"),
            ("POST", "news", "", 401, "AUTH_REQUIRED"),
            ("POST", "news", reader, 403, "AUTH_INSUFFICIENT_PERMISSIONS"),
            ("PUT", "news", platform.token, 405, "METHOD_NOT_ALLOWED"),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await http.request(method, place(app, channel), headers=headers, json={"payload": 1})
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (method, channel, token)
        gone = await http.get(
            "/v1/app_000000000000/realtime/news", headers={"Authorization": f"Bearer {platform.token}"}
        )
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
        queried = await http.post(f"{place(app, 'news')}?token={platform.token}", json={"payload": 1})
        assert queried.status_code == 401  # only who cannot send a header gives it so


async def test_pages_of_other_origins_by_the_apps_settings(platform: Platform, app: App) -> None:
    async with httpx.AsyncClient(base_url=platform.ready["triggers"], timeout=WITHIN_S) as http:
        for origin, allowed in ((PAGE, [PAGE]), ("https://evil.example", [])):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            before = await http.options(place(app, "news"), headers=asked)
            refused = await http.get(place(app, "news"), headers={"Origin": origin})
            assert (before.status_code, refused.status_code) == (204, 401)
            for answer in (before, refused):
                assert answer.headers.get_list("access-control-allow-origin") == allowed
        path = f"{place(app, 'news')}?token={signed(sub='ann')}"
        async with listening(platform.ready["triggers"], path, headers={"Origin": PAGE}) as events:
            assert events.answer.headers["access-control-allow-origin"] == PAGE


async def test_a_quiet_stream_gives_signs_of_life_and_ends_with_its_token(
    platform: Platform, store: Store, app: App
) -> None:
    who = await account(store, "passing", role="admin")
    token = await token_for(store, who)
    async with listening(platform.ready["triggers"], place(app, "quiet"), token) as events:
        assert await events.line() == ""
        assert await events.line() == ": keep-alive"
        [known] = await Tokens(store, who.tenant).listed(user_id=who.id, limit=10)
        await Tokens(store, who.tenant).revoke(known.id)
        await events.ends()


async def test_clients_who_listen_have_a_bound(platform: Platform, app: App) -> None:
    user = signed(sub="ann")
    here = platform.ready["triggers"]
    async with AsyncExitStack() as stack:
        for number in range(STREAMS_OF_TENANT):
            await stack.enter_async_context(listening(here, place(app, f"c{number}"), user))
        async with httpx.AsyncClient(base_url=here, headers={"Authorization": f"Bearer {user}"}) as http:
            answer = await http.get(place(app, "more"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "QUOTA_RATE_LIMIT")
        assert answer.headers["retry-after"] == "5"
    async with httpx.AsyncClient(base_url=here, headers={"Authorization": f"Bearer {user}"}) as http:
        async with asyncio.timeout(WITHIN_S):  # until the server has seen that they are gone
            while await status_of(http, place(app, "more")) != 200:
                await asyncio.sleep(0.02)


async def status_of(http: httpx.AsyncClient, path: str) -> int:
    async with http.stream("GET", path) as answer:
        return answer.status_code


async def test_who_takes_nothing_is_cut_off_and_nobody_else_waits(
    platform: Platform, client: httpx.AsyncClient, app: App
) -> None:
    """The kernel takes some megabytes for him, the service one: after that he is not told any more."""
    user = signed(sub="ann")
    here = platform.ready["triggers"]
    host, port = here.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(f"GET {place(app, 'flood')}?token={user} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    async with asyncio.timeout(WITHIN_S):
        await reader.readuntil(b": listening")
    payload = {"payload": "x" * 60_000}
    async with listening(here, place(app, "flood"), user) as events, httpx.AsyncClient(base_url=here) as http:
        headers = {"Authorization": client.headers["Authorization"]}
        for count in range(400):
            assert (await http.post(place(app, "flood"), json=payload, headers=headers)).status_code == 200
            await events.next()
            if count % 20 == 0 and await streams_of(platform) == 1:
                break
        assert await streams_of(platform) == 1  # only the other one
    writer.close()


async def streams_of(platform: Platform) -> int:
    page = platform.ready["services"]["triggers"]["metrics"].replace("/metrics", "/healthz")
    async with httpx.AsyncClient() as http:
        return int((await http.get(page)).json()["event_streams"])


async def test_a_service_that_drains_ends_its_streams_at_once(
    platform: Platform, servers: embedded.Servers, app: App
) -> None:
    async with (
        replica(platform, servers) as (url, process),
        listening(url, place(app, "news"), platform.token) as events,
    ):
        process.send_signal(signal.SIGTERM)
        await events.ends()
        async with asyncio.timeout(WITHIN_S):
            assert await process.wait() == 0


async def test_clients_stay_and_hear_again_when_the_bus_was_restarted(
    platform: Platform, client: httpx.AsyncClient, app: App, other: str, *, servers: embedded.Servers
) -> None:
    user = signed(sub="ann")
    async with (
        listening(other, place(app, "news"), user) as events,
        socket(platform.ready["triggers"], app, user) as ws,
    ):
        await said(ws, type="subscribe", channel="news")
        await servers.nats.stop()
        await servers.nats.start()
        number, heard = 0, asyncio.create_task(events.next())
        frame = asyncio.create_task(told(ws))
        async with asyncio.timeout(WITHIN_S):
            while not (heard.done() and frame.done()):  # what is pushed before both are back is lost
                number += 1
                await client.post(place(app, "news"), json={"payload": number})
                await asyncio.sleep(0.1)
        assert 1 <= heard.result()[1] <= number
        assert 1 <= frame.result()["payload"] <= number
