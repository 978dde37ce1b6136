"""Storage and queues that answer whatever they like: a fault of that source, soon, and at nobody else's cost."""

import asyncio
import threading
import tracemalloc
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.triggers.kind import World
from services.triggers.kinds.s3 import bodies, clients, storage
from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.adapters import poll
from services.triggers.kinds.s3.aws import S3, Sqs
from services.triggers.kinds.s3.bodies import Excess, Reading, Room
from services.triggers.kinds.s3.reports import Reports
from services.triggers.kinds.s3.sources import Opened
from shared.boot import Service
from shared.config import Platform
from shared.domain.event_source import EventSource, PollConfig, S3Access
from shared.store.client import Store
from shared.store.event_sources import EventSources
from shared.store.objects_seen import ObjectsSeen
from tests.hooks import Received, always, response, serving
from tests.s3.learner import Learner

OPEN = Platform(nats_url="", mongodb_url="", egress_private=True)
ENTITIES = "".join(f"<!ENTITY e{at + 1} '{f'&e{at};' * 10}'>" for at in range(6))
BOMB = f"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e0 '{'a' * 1000}'>{ENTITIES}]>"
CONTENTS = "<Contents><Key>{key}</Key><LastModified>{at}</LastModified><Size>{size}</Size></Contents>"


def xml(text: str, *, status: int = 200, encoding: str = "utf-8") -> bytes:
    return response(status, text.encode(encoding), kind="application/xml")


def listing(*, is_truncated: str = "false", more: str = "", **one: Any) -> bytes:
    values = {"key": "a", "at": "2026-01-01T00:00:00Z", "size": "1"} | one
    inside = f"<IsTruncated>{is_truncated}</IsTruncated>{CONTENTS.format(**values)}{more}"
    return xml(f"<ListBucketResult>{inside}</ListBucketResult>")


def error(code: str) -> bytes:
    return xml(f"<Error><Code>{code}</Code><Message>m</Message></Error>", status=400)


async def listed(answer: bytes) -> Any:
    async with serving() as hook:
        hook.answer = always(answer)
        s3 = S3(S3Access(endpoint_url=hook.url, access_key_id="AKIATENANT"), "tenants own", OPEN)
        try:
            return await s3.list_page("photos")
        finally:
            s3.close()


async def received(answer: bytes) -> Any:
    async with serving() as hook:
        hook.answer = always(answer)
        queue = Sqs(f"{hook.url}/1/uploads", S3Access(access_key_id="AKIATENANT"), "tenants own", OPEN)
        try:
            return await queue.receive(wait_s=0)
        finally:
            queue.close()


@pytest.mark.parametrize("code", ["{x}", "{what.__class__}", "{what:100000000}", "{0}", "}"])
async def test_the_name_of_a_fault_is_a_name_and_no_template(code: str):
    with pytest.raises(SourceFault) as found:
        await listed(error(code))
    assert f"answered 400 ({code})" in str(found.value)


@pytest.mark.parametrize(
    "answer",
    [
        response(200, b"<html><body>We are back soon</body></html>", kind="text/html"),
        response(200, b"", kind=""),
        xml("<ListBucketResult><Name>photos</Name></ListBucketResult>"),
        xml("<Error><Code>SlowDown</Code></Error>"),
        listing(is_truncated="true"),
        listing(is_truncated="true", more="<NextContinuationToken></NextContinuationToken>"),
    ],
)
async def test_what_is_no_listing_is_no_empty_bucket(answer: bytes):
    """Two empty listings would have all rows forgotten, and the next one tell of every object again."""
    with pytest.raises(SourceFault):
        await listed(answer)


async def test_a_page_that_leads_to_itself_is_no_listing():
    async with serving() as hook:
        hook.answer = always(listing(is_truncated="true", more="<NextContinuationToken>t</NextContinuationToken>"))
        s3 = S3(S3Access(endpoint_url=hook.url, access_key_id="AKIATENANT"), "x", OPEN)
        page = await s3.list_page("photos")
        assert page.next == "t"
        with pytest.raises(SourceFault):
            await s3.list_page("photos", token=page.next)
        s3.close()


@pytest.mark.parametrize("at", ["x", "1e30", "inf", "nan", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_is_none_is_a_fault(at: str):
    with pytest.raises(SourceFault):
        await listed(listing(at=at))


async def test_a_size_that_is_none_and_a_key_that_nobody_can_tell_of():
    assert [one.size for one in (await listed(listing(size="9" * 30))).objects] == [-1]
    assert (await listed(listing(key="k" * 5000))).objects == []


async def test_no_more_objects_than_were_asked_for():
    with pytest.raises(SourceFault):
        await listed(listing(more=CONTENTS.format(key="b", at="2026-01-01T00:00:00Z", size=1) * 1000))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_entities_are_not_expanded(encoding: str):
    """Padded, so that the parser's own bound, a hundred times of what came, would let a gigabyte through."""
    padded = f"{BOMB}<!--{'x' * (1 << 20)}--><ListBucketResult><IsTruncated>false</IsTruncated><Name>&e4;&e4;</Name>"
    tracemalloc.start()
    try:
        with pytest.raises(SourceFault) as found:
            await listed(xml(f"{padded}</ListBucketResult>", encoding=encoding))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "document type" in str(found.value)
    assert peak < 100 << 20


async def test_the_parts_of_an_answer_are_bounded():
    with pytest.raises(SourceFault, match="more than 100000 elements"):
        await listed(xml(f"<ListBucketResult>{'<a/>' * 200_000}</ListBucketResult>"))
    with pytest.raises(SourceFault, match="more than 1000000 values"):
        await received(response(200, b'{"a":[' + b"{}," * 700_000 + b"{}]}"))


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"null", b"1", b"[" * 100_000, b'{"Messages":"x"}', b'{"Messages":5}', b'{"Messages":[null]}',
        b'{"Messages":[{"ReceiptHandle":"x","Body":5}]}', b'{"Messages":[{"ReceiptHandle":"x","MessageId":{}}]}',
        b'{"Messages":[{"ReceiptHandle":"x","Attributes":[1]}]}',
        b'{"Messages":[{"ReceiptHandle":"x","MessageId":"\\ud800"}]}',
        b'{"Messages":[{"ReceiptHandle":"x","Attributes":{"ApproximateReceiveCount":"x"}}]}',
    ],
)  # fmt: skip
async def test_messages_that_are_none_are_a_fault(body: bytes):
    with pytest.raises(SourceFault):
        await received(response(200, body, kind="application/x-amz-json-1.0"))


@pytest.mark.parametrize(
    "body", [b'{"__type":"\\ud800"}', b'{"__type":5}', b"[]", b'{"__type":{}}', b'{"__type":"A\\nB"}']
)
async def test_a_fault_that_is_none_is_said_in_letters(body: bytes):
    with pytest.raises(SourceFault) as found:
        await received(response(400, body, kind="application/x-amz-json-1.0"))
    assert str(found.value).isascii()
    assert str(found.value).isprintable()


async def drips(_: Received, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, each well within the time between two."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def continues(_: Received, writer: asyncio.StreamWriter) -> None:
    """Heads that say that there will be another one."""
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("answer", [drips, continues])
async def test_an_answer_that_never_ends_is_given_up_and_its_thread_is_free(
    answer: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(clients, "_WITHIN_S", 1.0)
    async with serving() as hook:
        hook.answer = answer
        s3 = S3(S3Access(endpoint_url=hook.url, access_key_id="AKIATENANT"), "x", OPEN, most=1)
        with pytest.raises(SourceFault, match="not answered for within 1 s"):
            await s3.list_page("photos")
        hook.answer = always(listing())
        assert [one.key for one in (await s3.list_page("photos")).objects] == ["a"]
        s3.close()


class Slowly:
    """An answer of so many chunks."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks

    def read(self, amount: int, /) -> bytes:
        self.left -= 1
        return b" " * amount if self.left >= 0 else b""


def test_all_answers_at_once_have_their_bound_and_small_ones_their_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Reading, "_room", Room(2 * bodies._CHUNK))
    first, second = Reading(), Reading()
    first.read(Slowly(3))
    with pytest.raises(Excess, match="no room"):
        second.read(Slowly(2))
    second.read(Slowly(1))
    first.end()
    second.read(Slowly(3))


def test_two_large_answers_are_parsed_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Reading, "_parsing", threading.BoundedSemaphore(2))
    large = b"<a>" + b" " * bodies._LARGE
    readings = [Reading() for _ in range(3)]
    for reading in readings[:2]:
        reading.parse(large)
    begun = threading.Event()
    third = threading.Thread(target=lambda: (readings[2].parse(large), begun.set()), daemon=True)
    third.start()
    assert not begun.wait(0.2)
    readings[0].end()
    assert begun.wait(10)
    for reading in readings[1:]:
        reading.end()


def poll_source(id: int, url: str) -> Opened:
    now = datetime.now(UTC)
    of = EventSource(
        id=id, tenant="acme", public_id=f"src_{id}", name=f"s-{id}", kind="poll", created_at=now, updated_at=now
    )
    config = PollConfig(s3=S3Access(endpoint_url=url, access_key_id="AKIATENANT"), buckets=["photos"])
    return Opened(of, config, {"s3_secret_access_key": "x"})


async def test_a_storage_that_is_being_asked_is_not_closed_for_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storage, "_MOST", 1)
    world = SimpleNamespace(service=SimpleNamespace(platform=OPEN), settings=SimpleNamespace(source_heads=1))
    storages = storage.Storages(cast(World, world))
    async with serving() as slow, serving() as quick:
        asked, answers = asyncio.Event(), asyncio.Event()

        async def late(_: Received, writer: asyncio.StreamWriter) -> None:
            asked.set()
            await answers.wait()
            writer.write(response(200, b"", kind="image/png"))

        slow.answer, quick.answer = late, always(response(200, b"", kind="image/gif"))
        heads = [storages.head_of(poll_source(id, url)) for id, url in enumerate((slow.url, quick.url, quick.url))]
        assert all(heads)
        first = asyncio.create_task(heads[0]("photos", "a", ""))  # type: ignore[arg-type,misc]
        await asked.wait()
        for head in heads[1:]:
            found = await head("photos", "a", "")  # type: ignore[misc]
            assert found is not None
            assert found.content_type == "image/gif"
        assert len(storages._open) == 2  # the one that is asked, and the last one
        answers.set()
        found = await first
        assert found is not None
        assert found.content_type == "image/png"
    storages.close()


def page(number: int, objects: int) -> bytes:
    """One of a list without an end, whose keys are never the same."""
    found = "".join(CONTENTS.format(key=f"{number}-{at}", at="2026-01-01T00:00:00Z", size=1) for at in range(objects))
    more = f"<NextContinuationToken>{number}</NextContinuationToken>"
    return xml(f"<ListBucketResult><IsTruncated>true</IsTruncated>{found}{more}</ListBucketResult>")


@pytest.mark.parametrize("objects", [0, 400])
async def test_a_list_without_an_end_comes_to_one(objects: int, store: Store):
    async with serving() as hook:
        numbers = count(1)

        async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
            writer.write(page(next(numbers), objects))

        hook.answer = endless
        access = S3Access(endpoint_url=hook.url, access_key_id="AKIATENANT")
        config = {"s3": access, "buckets": ["photos"], "interval_s": 0.1}
        learner = Learner("poll", config, secrets={"s3_secret_access_key": "x"}, store=store, objects=1000)
        told = "has more than 1000 objects"
        for _ in range(10):  # the rows of what was listed before are bounded, too
            with pytest.raises(SourceFault) as found:
                await poll.run(learner.source)
        assert (told if objects == 0 else "More was seen") in str(found.value)
        assert len(hook.received) < (10 * 102 if objects == 0 else 20)
        assert await ObjectsSeen(store, tenant="acme", source_id=learner.source.source.id).count("photos") <= 4000


async def test_what_is_said_of_a_source_can_be_written(store: Store):
    """What cannot be would end the service, which writes for all sources."""
    bus: Any = None
    reports = Reports(cast(Service, SimpleNamespace(bus=bus, store=store, instance="me")))
    source = poll_source(7_000, "http://storage").source
    await EventSources(store, "acme").insert(source)
    reports.say(source, "failing", "half a letter: \ud800")
    await reports._flush()
    found = await EventSources(store, "acme").by_name(source.name)
    assert found is not None
    assert found.status.error == "half a letter: ?"
