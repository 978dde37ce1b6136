"""Uploads that are posted to a source's address, and the runs that they set off, on a whole platform."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.parse import MAX_BYTES, parse
from shared import embedded
from shared.bus.streams import streams
from shared.domain.problem import Problem
from tests.flow.commands import BOUNDS
from tests.platform import Platform
from tests.s3.door import Door, door_at
from tests.s3.functions import JAVASCRIPT, MODULE, PYTHON_HANDLER, PYTHON_MAIN, Uploads
from tests.s3.told import AWS, AWS_TEST, CEPH, EVENTBRIDGE, MINIO, R2, SEAWEEDFS, changed, sns

TOKEN = "a token of the source"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
_buckets = (f"bucket-{number}" for number in count(1))


class Vouching:
    """SNS itself is tested elsewhere: here it vouches for one topic."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, list[str]]] = []

    async def verified(self, body: bytes, *, topics: Sequence[str]) -> object:
        self.asked.append((body, list(topics)))
        if json.loads(body)["TopicArn"] not in topics:
            raise Problem("unauthenticated", "This topic may not send here")
        return None


class Storage:
    """What is said of objects, and how often it was asked."""

    content_type = "image/png"

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.asked: list[str] = []
        self.gone: set[str] = set()
        self.fault = ""

    async def __call__(self, bucket: str, key: str, version_id: str, /) -> "Storage | None":
        self.asked.append(key)
        if self.fault:
            raise SourceFault(self.fault)
        return None if key in self.gone else self


VOUCHING = Vouching()


@pytest.fixture(scope="module")
async def door(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with door_at(platform, sns=VOUCHING) as door:
        yield door


@pytest.fixture(scope="module")
def uploads(client: httpx.AsyncClient, door: Door) -> Uploads:
    return Uploads(client, door.world.service.store)


@pytest.fixture(scope="module")
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, timeout=30) as http:
        yield http


@pytest.fixture
def bucket() -> str:
    """Nobody else's."""
    return next(_buckets)


def aws(bucket: str, key: str = "HappyFace.jpg", sequencer: str = "0055AED6DCD90281E5") -> dict[str, Any]:
    told = changed(AWS, "Records", 0, "s3", "bucket", name=bucket)
    return changed(told, "Records", 0, "s3", "object", key=key, sequencer=sequencer)


def minio(bucket: str, key: str = "a.png", **fields: Any) -> dict[str, Any]:
    told = changed(MINIO, "Records", 0, "s3", "bucket", name=bucket)
    return changed(told, "Records", 0, "s3", "object", key=key, **fields)


@pytest.mark.parametrize(
    ("runtime", "code", "wrapped"),
    [
        ("javascript", JAVASCRIPT, {"method": "POST", "type": "s3_upload"}),
        ("javascript", MODULE, {"caller": "service_key", "user": None}),
        ("python", PYTHON_HANDLER, {"method": "POST", "type": "s3_upload"}),
        ("python", PYTHON_MAIN, None),
    ],
)
async def test_every_runtime_is_told(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str, runtime: str, code: str, wrapped: Any
):
    function = await uploads.deploy(code, runtime, trigger={"bucket": bucket, "prefix": "in/"})
    path = await door.source(format="minio", token=TOKEN)
    body = minio(bucket, "in%2Fa+b.png", userMetadata={"X-Amz-Meta-Who": "me"})
    answer = await http.post(path, json=body, headers=BEARER)
    assert (answer.status_code, answer.content) == (200, b"")
    (result,) = await function.results(1)
    if wrapped is not None:
        assert result.items() >= wrapped.items()
    told = result if wrapped is None else result["told"]
    assert told.pop("source").startswith("source-")
    assert told == {
        "trigger": "s3_upload",
        "bucket": bucket,
        "key": "in/a b.png",
        "size": 7,
        "etag": "ac77c62b9e09438bca3cc067e6026405",
        "contentType": "image/png",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-11-21T19:14:50.123Z",
        "sequencer": MINIO["Records"][0]["s3"]["object"]["sequencer"],
        "versionId": None,
        "metadata": {"who": "me"},
        "depth": 0,
        "record": body["Records"][0],
    }
    (run,) = await function.known()
    assert (run.trigger_type, run.user_id, run.parent_task_id) == ("s3_upload", None, "")
    assert msgspec.json.decode(run.params)["key"] == "in/a b.png"


async def test_one_upload_sets_off_every_function_that_it_matches_once(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str
):
    triggers = [{}, {"prefix": "in/"}, {"prefix": "in/", "contentTypes": ["image/*"]}, {"contentTypes": ["image/png"]}]
    others = [{"prefix": "out/"}, {"contentTypes": ["text/plain"]}]
    meant = [await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket, **one}) for one in triggers]
    not_meant = [await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket, **one}) for one in others]
    disabled = await uploads.deploy(
        PYTHON_MAIN,
        "python",
        trigger={"bucket": bucket},
        enabled=False,
    )
    path = await door.source(format="minio", token=TOKEN)
    for _ in range(3):
        assert (await http.post(path, json=minio(bucket, "in%2Fa.png"), headers=BEARER)).status_code == 200
    assert (await http.post(path, json=minio(bucket, "in%2Fb.png"), headers=BEARER)).status_code == 200
    for function in meant:
        assert sorted(told["key"] for told in await function.results(2)) == ["in/a.png", "in/b.png"]
    for function in (*not_meant, disabled):
        assert await function.known() == []


async def test_whoever_tells_of_an_upload_it_is_one(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str
):
    """A queue that says it twice, wrapped and not; a webhook, and the listing after it."""
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    path = await door.source(format="seaweedfs", token=TOKEN)
    told = changed(SEAWEEDFS, "message", new_parent_path=f"/buckets/{bucket}/images")
    assert (await http.post(path, json=told, headers=BEARER)).status_code == 200
    (event,) = parse(json.dumps(told))
    listed = msgspec.structs.replace(event, teller="list", content_type="", record=None, metadata={})
    opened = await door_source(door, path)
    await door.take(opened, [listed, event, listed])
    body = aws(bucket)
    await asyncio.gather(*(door.take(opened, parse(json.dumps(one))) for one in (body, sns(body), body, sns(body))))
    assert sorted(told["key"] for told in await function.results(2)) == ["HappyFace.jpg", "images/a b+ü.png"]


async def door_source(door: Door, path: str) -> Any:
    from services.triggers.kinds.s3.sources import Sources

    opened = await Sources(door.world).by_public_id(path.rpartition("/")[2])
    assert opened is not None
    return opened


async def test_the_same_bytes_later_are_another_upload(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str
):
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    path = await door.source(format="minio", token=TOKEN)
    for second in range(3):
        body = minio(bucket, sequencer=f"{(1_795_288_490 + second) * 10**9:X}")
        assert (await http.post(path, json=body, headers=BEARER)).status_code == 200
    assert len(await function.results(3)) == 3


async def test_hundreds_at_once(uploads: Uploads, door: Door, bucket: str):
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    opened = await door_source(door, await door.source(format="minio", token=TOKEN))
    record = aws(bucket)["Records"][0]
    records = [changed(record, "s3", "object", key=f"in/{number}") for number in range(300)]
    events = parse(json.dumps({"Records": records}))
    await asyncio.gather(door.take(opened, events), door.take(opened, list(reversed(events))))
    keys = [told["key"] for told in await function.results(300)]
    assert sorted(keys) == sorted(f"in/{number}" for number in range(300))


@pytest.mark.parametrize(
    ("sender", "headers", "status"),
    [
        ("minio", BEARER, 200),
        ("minio", {"Authorization": TOKEN}, 200),
        ("minio", {"Authorization": f"bearer {TOKEN}"}, 200),
        ("minio", {}, 401),
        ("minio", {"Authorization": "Bearer"}, 401),
        ("minio", {"Authorization": f"Bearer {TOKEN}x"}, 401),
        ("minio", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("minio", {"X-Api-Key": TOKEN}, 401),
        ("minio", {"Authorization": b"Bearer \xff\xfe"}, 401),
        ("seaweedfs", BEARER, 200),
        ("seaweedfs", {}, 401),
        ("eventbridge", {"X-Api-Key": TOKEN}, 200),
        ("eventbridge", {"Authorization": TOKEN}, 200),
        ("eventbridge", {"X-Api-Key": "another"}, 401),
        ("eventbridge", {}, 401),
    ],
)
async def test_who_may_post(door: Door, http: httpx.AsyncClient, *, sender: str, headers: Any, status: int):
    path = await door.source(format=sender, token=TOKEN)
    answer = await http.post(path, json=EVENTBRIDGE, headers=headers)
    assert answer.status_code == status
    assert TOKEN not in answer.text


async def test_a_source_without_a_token_takes_from_nobody(door: Door, http: httpx.AsyncClient):
    path = await door.source(format="minio")
    for shown in ("", "Bearer", "Bearer x"):
        assert (await http.post(path, json=MINIO, headers={"Authorization": shown})).status_code == 401


async def test_a_token_that_begins_like_the_scheme(door: Door, http: httpx.AsyncClient):
    path = await door.source(format="minio", token="Bearer of news")
    assert (await http.post(path, json=R2, headers={"Authorization": "Bearer of news"})).status_code == 200
    assert (await http.post(path, json=R2, headers={"Authorization": "of news"})).status_code == 401


async def test_sns_is_asked_whom_it_vouches_for(uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str):
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    body = sns(aws(bucket))
    path = await door.source(format="sns", topics=[body["TopicArn"]])
    other = await door.source(format="sns", topics=["arn:aws:sns:us-west-2:123456789012:others"])
    assert (await http.post(other, json=body)).status_code == 401
    assert (await http.post(path, json=body, headers={"Content-Type": "text/plain"})).status_code == 200
    assert json.loads(VOUCHING.asked[-1][0]) == body
    assert (await http.post(path, json=sns(AWS_TEST))).status_code == 200
    assert [told["key"] for told in await function.results(1)] == ["HappyFace.jpg"]


async def test_who_asks_whether_anybody_is_there(door: Door, http: httpx.AsyncClient):
    path = await door.source(format="minio", token=TOKEN)
    for method in ("GET", "HEAD"):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.content) == (200, b"")
    refused = await http.put(path, content=b"{}")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, GET, HEAD")


async def test_sources_that_nobody_posts_to(door: Door, http: httpx.AsyncClient):
    disabled = await door.source(format="minio", token=TOKEN, enabled=False)
    queue = await door.source("sqs", queue_url="https://sqs.example/1/q", token=TOKEN)
    for path in ("/events/src_nobody", "/events/%00", disabled, queue):
        for method in ("GET", "HEAD", "POST"):
            assert (await http.request(method, path, headers=BEARER)).status_code == 404


async def test_bodies_that_are_none(door: Door, http: httpx.AsyncClient):
    path = await door.source(format="minio", token=TOKEN)
    for body in (b"", b"<xml/>", b'{"Records": 1}', b"\xff", b'{"Records":' * 10_000):
        answer = await http.post(path, content=body, headers=BEARER)
        assert answer.status_code == 400
        assert answer.json()["error"]
    assert (await http.post(path, content=b" " * (MAX_BYTES + 1), headers=BEARER)).status_code == 413

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * (1 << 20)

    assert (await http.post(path, content=unannounced(), headers=BEARER)).status_code == 413


@pytest.mark.parametrize("told", [AWS_TEST, CEPH, R2, {}, changed(AWS, "Records", 0, eventName="ObjectRemoved:Delete")])
async def test_what_nobody_wants_is_taken(door: Door, http: httpx.AsyncClient, told: Any):
    """A bucket that no function has, a test, a removal: the sender is not to try again."""
    path = await door.source(format="minio", token=TOKEN)
    assert (await http.post(path, json=told, headers=BEARER)).status_code == 200


@pytest.fixture
def storage(door: Door):
    door.head = storage = Storage()
    yield storage
    door.head = None


async def test_the_type_is_asked_for_where_the_event_has_none(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str, storage: Storage
):
    asks = [{"contentTypes": ["image/*"]}, {"contentTypes": ["IMAGE/PNG"]}, {"contentTypes": ["text/plain"]}, {}]
    asks += [{"contentTypes": ["image/*"], "prefix": "out/"}]
    functions = [await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket, **one}) for one in asks]
    path = await door.source(format="minio", token=TOKEN)
    storage.gone.add("in/gone.png")
    for key in ("in/a.png", "in/gone.png"):
        assert (await http.post(path, json=aws(bucket, key), headers=BEARER)).status_code == 200
    assert sorted(storage.asked) == ["in/a.png", "in/gone.png"]
    for function in functions[:2]:
        assert [told["key"] for told in await function.results(1)] == ["in/a.png"]
    assert sorted(told["key"] for told in await functions[3].results(2)) == ["in/a.png", "in/gone.png"]
    assert await functions[2].known() == await functions[4].known() == []


async def test_a_storage_that_cannot_be_asked_loses_nothing(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str, storage: Storage
):
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket, "contentTypes": ["image/*"]})
    path = await door.source(format="minio", token=TOKEN)
    storage.fault = "Access to the bucket is denied"
    refused = await http.post(path, json=aws(bucket), headers=BEARER)
    assert refused.status_code == 503
    assert "denied" not in refused.text  # who posts need not know
    storage.fault = ""
    assert (await http.post(path, json=aws(bucket), headers=BEARER)).status_code == 200
    assert [told["key"] for told in await function.results(1)] == ["HappyFace.jpg"]


async def test_the_metadata_is_asked_for_where_the_function_may_have_written_it(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str, storage: Storage
):
    """AWS tells of none, and each question costs: only an upload that may follow from another one is worth it."""
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    path = await door.source(format="minio", token=TOKEN)
    storage.metadata = {"Shoal-Depth": "4"}

    async def uploaded(key: str, sequencer: str) -> None:
        assert (await http.post(path, json=aws(bucket, key, sequencer), headers=BEARER)).status_code == 200

    await uploaded("a.png", "01")
    await uploaded("b.png", "01")
    assert storage.asked == []
    await uploaded("a-small.png", "02")
    assert storage.asked == ["a-small.png"]
    storage.metadata = {"shoal-depth": "8"}
    await uploaded("b.png", "02")
    storage.fault = "Access to the bucket is denied"
    await uploaded("b.png", "03")
    runs = await function.runs(5)
    told = [(run.error_type, msgspec.json.decode(run.params)["depth"]) for run in runs]
    assert told == [("", 0), ("", 0), ("", 5), ("TriggerLoop", 9), ("", 0)]


async def test_a_type_that_nobody_knows_sets_nothing_off(
    uploads: Uploads, door: Door, *, http: httpx.AsyncClient, bucket: str
):
    typed = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket, "contentTypes": ["*/*"]})
    untyped = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    path = await door.source(format="minio", token=TOKEN)
    assert (await http.post(path, json=aws(bucket), headers=BEARER)).status_code == 200
    assert len(await untyped.results(1)) == 1
    assert await typed.known() == []


async def test_a_bus_that_is_away_is_said(platform: Platform, uploads: Uploads, *, bucket: str, tmp_path: Path):
    """The sender tries again, and nothing is there twice then."""
    await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    server = embedded.Nats(tmp_path)
    await server.start()
    async with door_at(platform, sns=VOUCHING, nats=server.url) as own, httpx.AsyncClient(base_url=own.url) as http:
        bus = own.world.service.bus
        for stream in streams(BOUNDS, first_invocation=100):
            await bus.ensure_stream(stream)
        path = await own.source(format="minio", token=TOKEN)
        assert (await http.post(path, json=minio(bucket, "first"), headers=BEARER)).status_code == 200
        await server.stop()
        answer = await http.post(path, json=minio(bucket, "second"), headers=BEARER, timeout=30)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        await server.start()
        async with asyncio.timeout(30):
            while (await http.post(path, json=minio(bucket, "second"), headers=BEARER, timeout=30)).status_code != 200:
                await asyncio.sleep(0.1)
        assert (await bus.stream.stream_info("INVOKE")).state.messages == 2
    await server.stop()


async def test_a_record_that_cannot_be_read_is_said_and_the_others_are_taken(
    door: Door, uploads: Uploads, http: httpx.AsyncClient
):
    bucket = next(_buckets)
    function = await uploads.deploy(PYTHON_MAIN, "python", trigger={"bucket": bucket})
    path = await door.source(format="minio", token=TOKEN)
    told = {"Records": [minio(bucket, key)["Records"][0] for key in ("a", "%FF", "b")]}
    for _ in range(2):
        answer = await http.post(path, json=told, headers=BEARER)
        assert (answer.status_code, answer.json()) == (400, {"error": "key is not UTF-8"})
    runs = await function.runs(2)
    assert sorted(msgspec.json.decode(run.result)["key"] for run in runs) == ["a", "b"]
