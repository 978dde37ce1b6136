"""kill -9 of the triggers service in the middle of a burst, and servers that are away: all run, none twice."""

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from shared import embedded
from tests.platform import Platform, running
from tests.webhooks.receiver import SECRET, WITHIN_S, Hook, Lines, Receiver, standard, told

COUNT = 400
SENDERS = 16
KILLS = 3
TIMEOUT_S = 1.5
SAYS = "def handler(request):\n    print(request.body.decode())"
SLEEPS = "import time\ndef handler(request):\n    time.sleep(15)\n    return 'late'"


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Servers]:
    async with embedded.servers(tmp_path_factory.mktemp("hooks-servers")) as servers:
        yield servers


@pytest.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory, servers: embedded.Servers) -> AsyncIterator[Platform]:
    """Shoal on servers that the test can take down."""
    urls = {"NATS_URL": servers.nats_url, "MONGODB_URL": servers.mongodb_url}
    folder = tmp_path_factory.mktemp("hooks-kill") / "data"
    async with running(folder, SHOAL_BUS_TIMEOUT_S=str(TIMEOUT_S), **urls) as platform:
        yield platform


@pytest.fixture
async def receiver(fragile: Platform) -> AsyncIterator[Receiver]:
    limits = httpx.Limits(max_connections=SENDERS)
    base_url = fragile.ready["triggers"]
    async with fragile.client() as owner, httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits) as anyone:
        yield Receiver(owner, anyone, f"kill-{uuid.uuid4().hex[:8]}")


async def test_all_run_once_whoever_dies(receiver: Receiver, fragile: Platform) -> None:
    """Senders repeat what was not answered with 200, as they do, and some of them what was."""
    hook = await receiver.deploy(code=SAYS, secret=SECRET)
    done, tried = 0, 0

    async def send(numbers: range) -> None:
        nonlocal done, tried
        for number in numbers:
            body = f"body {number}".encode()
            lines = standard(body, id=f"msg_{number}")
            for _ in range(1 + number % 2):
                while not await _is_taken(receiver, hook, body, lines):
                    tried += 1
            done += 1

    async def kill() -> None:
        for part in range(1, KILLS + 1):
            while done < COUNT * part // (KILLS + 1):
                await asyncio.sleep(0.005)
            await fragile.restarted("triggers", fragile.kill("triggers"))

    async with asyncio.timeout(120):
        await asyncio.gather(kill(), *(send(range(start, COUNT, SENDERS)) for start in range(SENDERS)))
    assert tried >= KILLS  # else nothing was cut
    await receiver.send(hook, b"last", **standard(b"last"))
    said = [entry["consoleLogs"][0]["message"] for entry in await receiver.logs(hook, COUNT + 1)]
    assert sorted(said) == sorted(["last", *(f"body {number}" for number in range(COUNT))])


async def test_the_bus_is_away(receiver: Receiver, servers: embedded.Servers) -> None:
    """Nothing is taken that is not on disk; and nothing is burnt by that."""
    hook = await receiver.deploy(code=SAYS, secret=SECRET)
    lines = standard(b"x", id="msg_away")
    assert (await receiver.send(hook, b"x", **lines)).status_code == 200
    later = standard(b"y", id="msg_later")
    await servers.nats.stop()
    try:
        for known in ((b"x", lines), (b"y", later)):
            answer = await receiver.send(hook, known[0], **known[1])
            assert told(answer, 503)["error"]
            assert int(answer.headers["retry-after"]) > 0
        assert (await receiver.send(hook, b"z", **later)).status_code == 401
    finally:
        await servers.nats.start()
    async with asyncio.timeout(WITHIN_S):
        while not await _is_taken(receiver, hook, b"y", later):
            await asyncio.sleep(0.05)
    assert told(await receiver.send(hook, b"x", **lines), 200)["duplicate"] is True
    assert len(await receiver.logs(hook, 2)) == 2


async def test_the_database_is_away(receiver: Receiver, servers: embedded.Servers) -> None:
    """Known functions go on; whether a run has failed is not known, and so not guessed."""
    hook = await receiver.deploy(code=SAYS, secret=SECRET)
    assert (await receiver.send(hook, b"x", **standard(b"x"))).status_code == 200
    lines = standard(b"y")
    await servers.mongo.stop()
    try:
        for body, sent in ((b"y", lines), *((b"%d" % n, standard(b"%d" % n)) for n in range(5))):
            assert told(await receiver.send(hook, body, **sent), 200)["duplicate"] is False
        assert (await receiver.send(hook, b"y", **lines)).status_code == 503
        assert (await receiver.send(hook.path + "-unknown", b"y", **lines)).status_code == 503
    finally:
        await servers.mongo.start()
    assert len(await receiver.logs(hook, 7)) == 7
    assert told(await receiver.send(hook, b"y", **lines), 200)["duplicate"] is True


async def test_who_waits_is_told_that_the_platform_stops(receiver: Receiver, fragile: Platform) -> None:
    hook = await receiver.deploy(code=SLEEPS, secret=SECRET, mode="sync")
    lines = standard(b"x")
    waiting = asyncio.create_task(receiver.send(hook, b"x", **lines))
    async with asyncio.timeout(WITHIN_S), httpx.AsyncClient() as http:
        health = fragile.ready["services"]["triggers"]["metrics"].replace("/metrics", "/healthz")
        while (await http.get(health)).json()["waiting"] != 1:
            await asyncio.sleep(0.02)
    pid = fragile.pid("triggers")
    os.kill(pid, signal.SIGTERM)
    answer = await waiting
    assert "restarting" in told(answer, 503)["error"]
    assert int(answer.headers["retry-after"]) > 0
    await fragile.restarted("triggers", pid)
    again = told(await receiver.send(hook, b"x", **lines), 200)
    assert again == {"ok": True, "duplicate": True, "task_id": answer.headers["x-invocation-id"]}


async def _is_taken(receiver: Receiver, hook: Hook, body: bytes, lines: Lines) -> bool:
    try:
        answer = await receiver.send(hook, body, **lines)
    except httpx.TransportError:
        return False
    assert answer.status_code in (200, 503), answer.text
    return answer.status_code == 200
