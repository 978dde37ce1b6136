"""A tenant's storage that does not answer: it keeps no other upload waiting, and its own requests are bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.triggers.kinds.s3 import clients
from tests.hooks import Received, serving
from tests.platform import Platform
from tests.s3.door import Door, door_at
from tests.s3.functions import PYTHON_MAIN, Uploads
from tests.s3.test_clients import fault, s3
from tests.s3.told import AWS, MINIO, changed

TOKEN = "a token of the source"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WITHIN_S = 30.0


class Silent:
    """Answers when it is told to."""

    content_type = "image/png"

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.speaks = asyncio.Event()

    async def __call__(self, bucket: str, key: str, version_id: str, /) -> "Silent":
        self.asked.put_nowait(key)
        await self.speaks.wait()
        return self


@pytest.fixture
async def door(platform: Platform) -> AsyncIterator[Door]:
    nobody: Any = None
    async with door_at(platform, sns=nobody, s3_in_flight=1, tenant_requests=2) as door:
        yield door


def told(of: dict[str, Any], bucket: str, key: str) -> dict[str, Any]:
    return changed(changed(of, "Records", 0, "s3", "bucket", name=bucket), "Records", 0, "s3", "object", key=key)


async def test_it_keeps_nobody_waiting_but_its_own_requests(client: httpx.AsyncClient, door: Door):
    uploads = Uploads(client, door.world.service.store)
    slow = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": "slow", "contentTypes": ["image/*"]})
    quick = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": "quick"})
    door.head = storage = Silent()
    path = await door.source(format="minio", token=TOKEN)
    async with httpx.AsyncClient(base_url=door.url, timeout=WITHIN_S) as http, asyncio.timeout(WITHIN_S):

        async def post(of: dict[str, Any], bucket: str, key: str) -> int:
            return (await http.post(path, json=told(of, bucket, key), headers=BEARER)).status_code

        first = asyncio.create_task(post(AWS, "slow", "1"))
        await storage.asked.get()
        assert await post(MINIO, "quick", "2") == 200
        second = asyncio.create_task(post(AWS, "slow", "3"))
        await storage.asked.get()
        assert await post(MINIO, "quick", "4") == 503
        storage.speaks.set()
        assert [await first, await second] == [200, 200]
        assert await post(MINIO, "quick", "4") == 200
    assert sorted(run["key"] for run in await slow.results(2)) == ["1", "3"]
    assert sorted(run["key"] for run in await quick.results(2)) == ["2", "4"]


async def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clients, "_WITHIN_S", 0.5)

    async def drips(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx: ")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async with serving() as hook:
        hook.answer = drips
        async with asyncio.timeout(WITHIN_S):
            assert await fault(s3(hook.url)) == "bucket 'photos' was not answered for within 0.5 s"
