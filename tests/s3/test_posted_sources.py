"""Sources that events are posted to, on a whole platform: by MinIO, by SNS, and by a SeaweedFS that loses some."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hooks import serving
from tests.platform import Platform
from tests.s3.seaweed import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Seaweed
from tests.s3.shoal import Uploads, shoal
from tests.webhooks.sns_signing import FILE, TOPIC, Server, Signer, notification, subscription

TOKEN = "the token of a SeaweedFS"


@pytest.fixture(scope="module")
async def sns() -> AsyncIterator[Server]:
    """What signs as SNS does, and is asked as SNS is."""
    async with serving() as hook:
        yield Server(hook, Signer())


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory, sns: Server) -> AsyncIterator[Platform]:
    settings = {"SHOAL_TRIGGERS_SNS_HOSTS": f"127.0.0.1:{sns.hook.port}"}
    async with shoal(tmp_path_factory.mktemp("posted"), **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def uploads(platform: Platform) -> AsyncIterator[Uploads]:
    async with platform.client() as client:
        yield Uploads(platform, client)


def record(bucket: str, key: str, sequencer: str) -> dict[str, object]:
    """An event as MinIO documents it."""
    put = {"key": key, "size": 3, "eTag": "202cb962ac59075b964b07152d234b70", "sequencer": sequencer}
    one = {
        "eventVersion": "2.0", "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put",
        "eventTime": "2026-11-21T19:14:50.812Z", "s3": {"bucket": {"name": bucket}, "object": put},
    }  # fmt: skip
    return {"EventName": "s3:ObjectCreated:Put", "Key": f"{bucket}/{key}", "Records": [one]}


def local(uploads: Uploads, url: str) -> str:
    """The address of a source at the door of the triggers service itself."""
    return url.replace(uploads.platform.url, str(uploads.platform.ready["triggers"]))


async def test_a_token_that_was_rotated_is_good_at_once(uploads: Uploads):
    slug = await uploads.function("minio-bucket")
    source = await uploads.source("http", {"format": "minio"})
    await uploads.works(source["name"])
    url = local(uploads, source["url"])

    async def post(token: str, key: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient() as sender:
            return (await sender.post(url, json=record("minio-bucket", key, key), headers=headers)).status_code

    assert await post(source["token"], "1a") == 200
    assert await post("another-token-altogether", "2a") == 401
    await uploads.until_run(slug, 1)
    another = (await uploads.client.post(f"/api/event-sources/{source['name']}/rotate-token/")).json()["token"]
    async with asyncio.timeout(5):
        while await post(another, "3a") != 200:
            await asyncio.sleep(0.02)
    assert await post(source["token"], "4a") == 401
    await uploads.until_run(slug, 2)
    await uploads.until(source["name"], lambda found: found["events"] == 2)
    await uploads.change(source["name"], enabled=False)
    async with asyncio.timeout(5):
        while await post(another, "5a") != 404:
            await asyncio.sleep(0.02)
    await uploads.delete(source["name"])


async def test_sns_is_answered_and_believed_where_it_signs(uploads: Uploads, sns: Server):
    slug = await uploads.function("sns-bucket")
    source = await uploads.source("http", {"format": "sns", "topics": [TOPIC]})
    url = local(uploads, source["url"])
    await uploads.works(source["name"])

    async def post(told: dict[str, Any]) -> int:
        async with httpx.AsyncClient() as sender:
            return (await sender.post(url, content=json.dumps(told))).status_code

    asked = sns.signer.signed({**subscription(sns.hook.url), "SigningCertURL": sns.hook.url + FILE})
    assert await post(asked) == 200
    confirmed = [path for path in sns.fetched if "ConfirmSubscription" in path]
    assert len(confirmed) == 1
    message = json.dumps(record("sns-bucket", "a b.png", "1a") | {"EventName": None})
    told = {**notification(Message=message, Subject="Amazon S3 Notification"), "SigningCertURL": sns.hook.url + FILE}
    signed = sns.signer.signed(told)
    assert [await post(signed), await post(signed)] == [200, 200]
    assert await post({**signed, "Message": message.replace("a b", "forged")}) == 401
    other = sns.signer.signed({**told, "TopicArn": TOPIC + "-of-a-stranger"})
    assert await post(other) == 401
    await uploads.until_run(slug, 1)
    await uploads.until(source["name"], lambda found: found["events"] == 2)
    assert await uploads.runs(slug) == 1
    await uploads.delete(source["name"])


async def test_what_seaweedfs_posts_in_vain_is_found_by_listing(uploads: Uploads, tmp_path: Path):
    """Its webhook is tried once: what happens while the door is away would be lost."""
    weed = Seaweed(tmp_path)
    access = {"endpoint_url": weed.endpoint, "access_key_id": ACCESS_KEY_ID}
    config = {"format": "seaweedfs", "s3": access, "buckets": ["weedy"], "reconcile_s": 1}
    slug = await uploads.function("weedy")
    source = await uploads.source("http", config, token=TOKEN, s3_secret_access_key=SECRET_ACCESS_KEY)
    failing = await uploads.until(source["name"], lambda found: found["state"] == "failing")
    assert "cannot be reached" in failing["error"]
    door = local(uploads, source["url"])
    await weed.start("weedy", webhook=door, token=TOKEN)
    try:
        await uploads.works(source["name"])
        s3 = weed.client()
        await asyncio.to_thread(s3.put_object, Bucket="weedy", Key="posted", Body=b"1")
        await uploads.until_run(slug, 1)
        dead = uploads.platform.kill("triggers")
        await asyncio.to_thread(s3.put_object, Bucket="weedy", Key="in vain", Body=b"2")
        await uploads.platform.restarted("triggers", dead)
        await uploads.until_run(slug, 2)
        await asyncio.to_thread(s3.put_object, Bucket="weedy", Key="posted again", Body=b"3")
        await uploads.until_run(slug, 3)
        await uploads.works(source["name"])
        assert await uploads.runs(slug) == 3
    finally:
        await weed.stop()
    await uploads.delete(source["name"])
