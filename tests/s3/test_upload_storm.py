"""Thousands of uploads while the triggers service is killed twice: each sets off one run, none is lost, none doubled.

`UPLOAD_STORM=10000` has ten thousand of them, and needs `-o faulthandler_timeout=1200`: others may not take so long.
"""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from shared.store.objects_seen import ObjectsSeen
from tests.s3 import aws, seaweed
from tests.s3.storm import BUCKET, Storm, storm

UPLOADS = int(os.environ.get("UPLOAD_STORM", "2000"))
WITHIN_S = 60.0 + UPLOADS / 20  # each wait, on a machine that has other things to do
BATCH = 10
# moto looks at every message of the queue for each that is sent or received: the queue is kept short.
QUEUED = 100
_THREADS = 6


class Uploading:
    """Work in the background, of which so much is done as is allowed; `done` counts it."""

    def __init__(self) -> None:
        self.done = 0
        self._lock = threading.Lock()
        self._go = threading.Semaphore(0)
        self._given_up = threading.Event()

    def allow(self, times: int) -> None:
        """Let so many more be done."""
        if times > 0:
            self._go.release(times)

    @asynccontextmanager
    async def going_on(self, one: Callable[[int], None], times: int) -> AsyncIterator[None]:
        """Do it so often; at the end of the block what is left is done too."""
        threads = ThreadPoolExecutor(_THREADS)
        ends = [threads.submit(self._work, one, number) for number in range(times)]
        try:
            yield
        except BaseException:
            self._given_up.set()
            raise
        finally:
            self._go.release(times)
            await asyncio.to_thread(threads.shutdown)
        for end in ends:
            end.result()

    def _work(self, one: Callable[[int], None], number: int) -> None:
        self._go.acquire()
        if not self._given_up.is_set():
            one(number)
            with self._lock:
                self.done += 1


async def test_seaweedfs_while_the_service_that_its_webhook_goes_to_is_killed(tmp_path: Path):
    server = seaweed.Seaweed(tmp_path / "weed")
    async with storm(tmp_path, within_s=WITHIN_S) as on:
        config = {
            "format": "seaweedfs",
            "s3": {"endpoint_url": server.endpoint, "access_key_id": seaweed.ACCESS_KEY_ID},
            "buckets": [BUCKET],
            "reconcile_s": 1.0,
        }
        source = await on.uploads.source("http", config, s3_secret_access_key=seaweed.SECRET_ACCESS_KEY)
        public_id = source["public_id"]
        webhook = f"{on.platform.url}/events/{public_id}"
        try:
            await server.start(BUCKET, webhook=webhook, token=source["token"])
            seen = await on.seen(public_id)
            await _put_and_kill(on, server, seen)
            await _all_were_listed(on, seen)
            await _each_ran_once(on)
        finally:
            await server.stop()


async def _put_and_kill(on: Storm, server: seaweed.Seaweed, seen: ObjectsSeen) -> None:
    """Once while the webhook tells, once while a listing makes up for what it could not; uploads go on meanwhile."""
    client, uploading = server.client(), Uploading()

    def put(number: int) -> None:
        client.put_object(Bucket=BUCKET, Key=f"in/{number % 7}/{number:06}", Body=b"%d" % number)

    async def told() -> bool:
        return uploading.done >= UPLOADS // 4 and await on.commands() >= UPLOADS // 8

    async def listed() -> bool:
        return await seen.count(BUCKET) > rows

    async with uploading.going_on(put, UPLOADS):
        uploading.allow(UPLOADS // 2)
        await on.until("the webhook tells of uploads", told)
        rows = await seen.count(BUCKET)
        await on.kill()
        uploading.allow(UPLOADS // 4)
        await on.until("a listing finds some", listed)
        await on.kill()


async def _all_were_listed(on: Storm, seen: ObjectsSeen) -> None:
    """What is written down as seen was taken before: nothing more can come of it."""

    async def listed() -> bool:
        return await seen.count(BUCKET) == UPLOADS

    await on.until("every object was listed", listed)


async def _each_ran_once(on: Storm) -> None:
    async def recorded() -> bool:
        return await on.recorded() >= await on.commands()

    await on.until("every run is on record", recorded)
    keys = await on.keys()
    doubled = {key: times for key, times in keys.items() if times != 1}
    assert (len(keys), doubled) == (UPLOADS, {})
    assert await on.commands() == UPLOADS


async def test_a_queue_whose_reader_is_killed(tmp_path: Path):
    async with aws.moto(tmp_path / "moto") as moto, storm(tmp_path, within_s=WITHIN_S) as on:
        queue, _ = await asyncio.to_thread(moto.queue)
        access = {"endpoint_url": moto.endpoint, "access_key_id": aws.ACCESS_KEY_ID}
        config = {"queue_url": queue, "access": access}
        await on.uploads.source("sqs", config, secret_access_key=aws.SECRET_ACCESS_KEY)
        await _send_and_kill(on, moto, queue)

        async def empty() -> bool:
            return await asyncio.to_thread(moto.left, queue) == 0

        await on.until("the queue is empty", empty)
        await _each_ran_once(on)


async def _send_and_kill(on: Storm, moto: aws.Moto, queue: str) -> None:
    """Messages that a dead reader has in hand come again half a minute later, to the next one."""
    client, uploading, allowed = moto.sqs, Uploading(), 0

    def send(batch: int) -> None:
        bodies = [message(batch * BATCH + one) for one in range(BATCH)]
        entries = [{"Id": str(one), "MessageBody": body} for one, body in enumerate(bodies)]
        answer = client.send_message_batch(QueueUrl=queue, Entries=entries)  # type: ignore[arg-type]
        assert not answer.get("Failed")

    async def taken(runs: int) -> bool:
        nonlocal allowed
        commands = await on.commands()
        uploading.allow((commands + QUEUED) // BATCH - allowed)
        allowed = max(allowed, (commands + QUEUED) // BATCH)
        return commands >= runs

    async with uploading.going_on(send, UPLOADS // BATCH):
        for runs in (UPLOADS // 3, UPLOADS // 3 * 2):
            await on.until("messages are taken", lambda runs=runs: taken(runs))  # type: ignore[misc]
            await on.kill()
        await on.until("the rest is sent", lambda: taken(UPLOADS - QUEUED))


def message(number: int) -> str:
    """What S3 puts into a queue for an upload."""
    landed = {
        "key": f"in/{number:06}",
        "size": 1,
        "eTag": "c4ca4238a0b923820dcc509a6f75849b",
        "sequencer": f"{number:016X}",
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-21T19:14:50.812Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": BUCKET}, "object": landed},
    }
    return json.dumps({"Records": [record]})
