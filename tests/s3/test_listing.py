"""Uploads are learned by listing, on a real SeaweedFS: each once, none lost, whatever happens in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from services.triggers.kinds.s3 import listing
from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.adapters import http, poll
from services.triggers.kinds.s3.forgetting import forget_gone
from shared.domain.event_source import S3Access
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.event_sources import EventSources
from shared.store.objects_seen import ObjectsSeen
from tests.s3.learner import Learner
from tests.s3.seaweed import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Seaweed

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

SECRETS = {"s3_secret_access_key": SECRET_ACCESS_KEY}
AGO = timedelta(seconds=30)  # more than two clocks of one machine can be apart
_numbers = count(1)


@pytest.fixture(scope="session")
def s3(weed: Seaweed) -> "S3Client":
    return weed.client()


@pytest.fixture
def bucket(s3: "S3Client") -> str:
    name = f"polled-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def access(weed: Seaweed) -> S3Access:
    return S3Access(endpoint_url=weed.endpoint, access_key_id=ACCESS_KEY_ID)


def polling(store: Store, access: S3Access, *buckets: str, **more: Any) -> Learner:
    made = more.pop("made", None)
    config = {"s3": access, "buckets": list(buckets), "interval_s": 0.1} | more
    return Learner("poll", config, secrets=SECRETS, store=store, made=made)


async def next_second(s3: "S3Client", bucket: str, key: str, body: bytes) -> None:
    """Put it so that the storage gives it another second than the object has that is there."""
    former = s3.head_object(Bucket=bucket, Key=key)["LastModified"]
    async with asyncio.timeout(10):
        while datetime.now(UTC) < former + timedelta(seconds=1):
            await asyncio.sleep(0.05)
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert s3.head_object(Bucket=bucket, Key=key)["LastModified"] > former


async def test_what_was_there_before_is_no_event_and_what_comes_later_is(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    s3.put_object(Bucket=bucket, Key="old", Body=b"1")
    learner = polling(store, access, bucket, made=datetime.now(UTC) + AGO)
    async with learner.running(poll.run):
        await learner.next_round()
        s3.put_object(Bucket=bucket, Key="new", Body=b"two")
        await learner.until(1)
        await learner.next_round()
    (event,) = learner.told
    found = s3.head_object(Bucket=bucket, Key="new")
    assert (event.bucket, event.key, event.size) == (bucket, "new", 3)
    assert f'"{event.etag}"' == found["ETag"]
    assert datetime.fromisoformat(event.at) == found["LastModified"]


async def test_what_was_put_after_the_source_was_made_is_an_event_in_its_first_listing(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    learner = polling(store, access, bucket)
    s3.put_object(Bucket=bucket, Key="at once", Body=b"1")
    async with learner.running(poll.run):
        await learner.until(1)
    assert learner.keys == ["at once"]


async def test_an_old_time_is_news_once_the_bucket_was_listed(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    """A multipart upload has the time of its beginning at AWS, a copy that of its original elsewhere."""
    learner = polling(store, access, bucket, made=datetime.now(UTC) + AGO)
    async with learner.running(poll.run):
        await learner.next_round()
        s3.put_object(Bucket=bucket, Key="late", Body=b"1")
        await learner.until(1)
    assert datetime.fromisoformat(learner.told[0].at) < learner.made


async def test_a_changed_object_is_told_again_and_one_that_is_not_is_not(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    learner = polling(store, access, bucket)
    async with learner.running(poll.run):
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        await learner.until(1)
        s3.put_object(Bucket=bucket, Key="a", Body=b"2")
        await learner.until(2)
        await next_second(s3, bucket, "a", b"2")
        await learner.until(3)
        await learner.next_round(2)
    assert learner.keys == ["a", "a", "a"]
    assert learner.told[1].etag == learner.told[2].etag != learner.told[0].etag


async def test_nothing_is_lost_when_it_cannot_be_taken(s3: "S3Client", store: Store, access: S3Access, bucket: str):
    learner = polling(store, access, bucket)
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"1")
    learner.refuses = True
    with pytest.raises(Problem, match="bus"):
        await poll.run(learner.source)
    learner.refuses = False
    async with learner.running(poll.run):
        await learner.until(5)
        await learner.next_round()
    assert sorted(learner.keys) == [f"k{number}" for number in range(5)]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)


@pytest.mark.usefixtures("small_pages")
async def test_a_bucket_of_many_pages_in_an_order_of_its_own(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    """SeaweedFS lists `a/1` before `a!`, as its folders have it."""
    keys = ["a/1", "a/2/3", "a!", "a.txt", "b c+ü", "b/ /c", "z"]
    learner = polling(store, access, bucket)
    async with learner.running(poll.run):
        for key in keys:
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        s3.put_object(Bucket=bucket, Key="folder/", Body=b"")
        await learner.until(len(keys))
        await learner.next_round(2)
    assert sorted(learner.keys) == sorted(keys)


async def test_deleted_objects_are_forgotten_in_the_end(s3: "S3Client", store: Store, access: S3Access, bucket: str):
    learner = polling(store, access, bucket)
    seen = ObjectsSeen(store, tenant="acme", source_id=learner.source.source.id)
    async with learner.running(poll.run):
        for key in ("x/a", "x!", "y"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"1")
        await learner.until(3)
        await learner.next_round()
        assert await seen.count(bucket) == 3
        s3.delete_object(Bucket=bucket, Key="x/a")
        await learner.next_round(2)
        assert set(await seen.known(bucket, ["x/a", "x!", "y"])) == {"x!", "y"}
        s3.put_object(Bucket=bucket, Key="x/a", Body=b"1")
        await learner.until(4)
    assert learner.keys[-1] == "x/a"


async def test_only_the_prefix_is_told_and_another_one_begins_anew(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    learner = polling(store, access, bucket, prefix="in/")
    s3.put_object(Bucket=bucket, Key="in/1", Body=b"1")
    s3.put_object(Bucket=bucket, Key="out/1", Body=b"1")
    async with learner.running(poll.run):
        await learner.until(1)
        await learner.next_round()
    learner.configure(s3=access, buckets=[bucket], interval_s=0.1, prefix="out/")
    learner._changed += AGO
    async with learner.running(poll.run):
        await learner.next_round()
        s3.put_object(Bucket=bucket, Key="out/2", Body=b"1")
        await learner.until(2)
    assert learner.keys == ["in/1", "out/2"]


async def test_one_bucket_that_is_not_there_does_not_keep_the_others(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    learner = polling(store, access, "not-there", bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with pytest.raises(SourceFault, match="no bucket 'not-there'"):
        await poll.run(learner.source)
    assert learner.keys == ["k"]
    s3.create_bucket(Bucket="not-there")
    s3.put_object(Bucket="not-there", Key="later", Body=b"1")
    async with learner.running(poll.run):
        await learner.until(2)
    assert learner.keys == ["k", "later"]


async def test_revoked_credentials_are_the_sources_fault(store: Store, access: S3Access, bucket: str):
    learner = Learner(
        "poll", {"s3": access, "buckets": [bucket]}, secrets={"s3_secret_access_key": "revoked"}, store=store
    )
    with pytest.raises(SourceFault, match="secret access key"):
        await poll.run(learner.source)


async def test_everything_of_a_source_that_is_gone_is_forgotten(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    learner = polling(store, access, bucket)
    seen = ObjectsSeen(store, tenant="acme", source_id=learner.source.source.id)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    async with learner.running(poll.run):
        await learner.until(1)
        await learner.next_round()
    await EventSources(store, "acme").insert(learner.source.source)
    await forget_gone(store)
    assert (await seen.count(bucket), await seen.beginning(bucket) is None) == (1, False)
    await EventSources(store, "acme").delete("uploads")
    await forget_gone(store)
    assert (await seen.count(bucket), await seen.beginning(bucket)) == (0, None)


async def test_a_source_that_is_posted_to_lists_at_once_where_it_knows_how(
    s3: "S3Client", store: Store, access: S3Access, bucket: str
):
    config = {"format": "seaweedfs", "s3": access, "buckets": [bucket], "reconcile_s": 3600.0}
    learner = Learner("http", config, secrets=SECRETS, store=store)
    s3.put_object(Bucket=bucket, Key="missed", Body=b"1")
    async with learner.running(http.run):
        await learner.until(1)
    assert learner.keys == ["missed"]


async def test_a_source_that_is_posted_to_waits_where_it_cannot_list(store: Store):
    learner = Learner("http", {"format": "minio"}, secrets={}, store=store)
    async with learner.running(http.run):
        await learner._until(lambda: learner.rounds == 1)


async def test_what_aws_posts_is_in_no_listing(store: Store, access: S3Access, bucket: str):
    config = {"format": "sns", "s3": access, "buckets": [bucket]}
    with pytest.raises(SourceFault, match="leave `buckets` out"):
        await http.run(Learner("http", config, secrets=SECRETS, store=store).source)
