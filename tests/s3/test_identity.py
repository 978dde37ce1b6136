"""SeaweedFS' webhook and its listings say the same of an upload, so that one that both tell of is one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.triggers.kinds.s3 import listing
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.identity import identity
from services.triggers.kinds.s3.parse import parse, read
from shared.store.objects_seen import Seen
from tests.hooks import Hook, serving
from tests.s3.seaweed import Seaweed, seaweed

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

WITHIN_S = 20.0


class Told:
    """A server with a webhook of ours, and what was posted there of uploads."""

    def __init__(self, server: Seaweed, hook: Hook) -> None:
        self.s3: S3Client = server.client()
        self._hook = hook

    @property
    def uploads(self) -> list[ObjectEvent]:
        return [event for received in self._hook.received for event in parse(received.body)]

    async def of(self, bucket: str, key: str, uploads: int) -> list[str]:
        """The identities of this key's uploads, when so many were posted; in the order of their coming."""
        async with asyncio.timeout(WITHIN_S):
            while len(found := [e for e in self.uploads if (e.bucket, e.key) == (bucket, key)]) < uploads:
                await asyncio.sleep(0.02)
        return [identity(event) for event in found]

    def listed(self, bucket: str, key: str) -> str:
        """The identity of what a listing has."""
        (found,) = (o for o in self.s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"] if o["Key"] == key)
        row = Seen(key, found["ETag"].strip('"'), found["LastModified"].astimezone(UTC), found["Size"])
        return identity(listing._event(bucket, row))

    async def later(self, bucket: str, key: str) -> None:
        """Return in another second than the object's."""
        modified = self.s3.head_object(Bucket=bucket, Key=key)["LastModified"]
        async with asyncio.timeout(WITHIN_S):
            while datetime.now(UTC) < modified + timedelta(seconds=1):
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def told(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    folder: Path = tmp_path_factory.mktemp("telling")
    async with (
        serving() as hook,
        seaweed(folder, "plain", "versioned", webhook=f"{hook.url}/hook", token="t") as server,
    ):
        told = Told(server, hook)
        versioning = {"Status": "Enabled"}
        told.s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration=versioning)
        yield told
        assert {received.headers["authorization"] for received in hook.received} == {"Bearer t"}


@pytest.mark.parametrize("body", [b"", b"x", b"y" * (9 << 20)], ids=["empty", "small", "several chunks"])
@pytest.mark.parametrize("bucket", ["plain", "versioned"])
async def test_an_object_that_is_put(told: Told, bucket: str, body: bytes):
    key = f"put/ü +{len(body)}"
    told.s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert await told.of(bucket, key, 1) == [told.listed(bucket, key)]


@pytest.mark.parametrize("bucket", ["plain", "versioned"])
async def test_one_that_is_overwritten_with_other_bytes_and_with_the_same(told: Told, bucket: str):
    told.s3.put_object(Bucket=bucket, Key="over", Body=b"1")
    first = told.listed(bucket, "over")
    told.s3.put_object(Bucket=bucket, Key="over", Body=b"2")
    second = told.listed(bucket, "over")
    await told.later(bucket, "over")
    told.s3.put_object(Bucket=bucket, Key="over", Body=b"2")
    third = told.listed(bucket, "over")
    assert sorted(await told.of(bucket, "over", 3)) == sorted([first, second, third])
    assert len({first, second, third}) == 3


async def test_a_multipart_upload_is_one(told: Told):
    upload = told.s3.create_multipart_upload(Bucket="plain", Key="parts")["UploadId"]
    asked = {"Bucket": "plain", "Key": "parts", "UploadId": upload}
    parts = [
        {"PartNumber": number, "ETag": told.s3.upload_part(**asked, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"1" * (5 << 20)), (2, b"2"))
    ]
    told.s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": parts})
    assert await told.of("plain", "parts", 1) == [told.listed("plain", "parts")]
    assert not [event for event in told.uploads if event.key.startswith(".uploads")]


async def test_a_copy_and_a_copy_onto_itself_with_other_metadata(told: Told):
    told.s3.put_object(Bucket="plain", Key="from", Body=b"1")
    await told.later("plain", "from")
    told.s3.copy_object(Bucket="plain", Key="to", CopySource="plain/from")
    copy = told.listed("plain", "to")
    await told.later("plain", "to")
    told.s3.copy_object(
        Bucket="plain", Key="to", CopySource="plain/to", MetadataDirective="REPLACE", Metadata={"a": "b"}
    )
    assert await told.of("plain", "to", 2) == [copy, told.listed("plain", "to")]


async def test_tags_are_no_upload_to_either(told: Told):
    told.s3.put_object(Bucket="plain", Key="tagged", Body=b"1")
    put = told.listed("plain", "tagged")
    await told.later("plain", "tagged")
    told.s3.put_object_tagging(Bucket="plain", Key="tagged", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    told.s3.put_object(Bucket="plain", Key="after", Body=b"1")
    await told.of("plain", "after", 1)
    assert told.listed("plain", "tagged") == put
    assert await told.of("plain", "tagged", 1) == [put]


async def test_what_is_deleted_and_put_again_is_another_upload(told: Told):
    told.s3.put_object(Bucket="plain", Key="again", Body=b"1")
    first = told.listed("plain", "again")
    await told.later("plain", "again")
    told.s3.delete_object(Bucket="plain", Key="again")
    told.s3.put_object(Bucket="plain", Key="again", Body=b"1")
    assert await told.of("plain", "again", 2) == [first, told.listed("plain", "again")]
    assert first != told.listed("plain", "again")


@pytest.mark.parametrize("ns", [0, 999_999_999, 999_999_500, 500_000_000])
def test_the_last_moment_of_a_second_is_in_it(ns: int):
    seconds = 1795329646
    entry = {
        "name": "k",
        "chunks": [{"size": 1, "modified_ts_ns": seconds * 1_000_000_000 + ns, "e_tag": "xMpCOKC5I4INzFCab3WEmw=="}],
        "attributes": {"file_size": 1, "mtime": seconds, "md5": "xMpCOKC5I4INzFCab3WEmw=="},
    }
    message = {"new_entry": entry, "new_parent_path": "/buckets/plain"}
    (event,) = read({"event_type": "create", "key": "/buckets/plain/k", "message": message})
    row = Seen("k", "c4ca4238a0b923820dcc509a6f75849b", datetime.fromtimestamp(seconds, UTC), 1)
    assert identity(event) == identity(listing._event("plain", row))
