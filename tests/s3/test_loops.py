"""Functions that upload into their own prefix, on a real SeaweedFS whose webhook tells of it: they are stopped."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import msgspec
import pytest
from botocore.config import Config

from shared.domain.invocation import Invocation
from tests.platform import Platform
from tests.s3.door import Door, door_at
from tests.s3.functions import Uploaded, Uploads
from tests.s3.seaweed import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Seaweed, seaweed

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET, TOKEN = "loops", "the token of the webhook"
DEEP, INFERRED = 3, 10
# Puts to the URL that the variable has for the key and the depth that it is told, and says so in the metadata.
PUTS = """
export default async (req, ctx) => {
  const told = await req.json();
  const url = JSON.parse(ctx.env.URLS)[`${told.key} ${told.depth}`];
  if (!url) return "no more";
  const headers = ctx.env.SAYS ? { "x-amz-meta-shoal-depth": String(told.depth) } : {};
  const answer = await fetch(url, { method: "PUT", headers, body: crypto.randomUUID() });
  return answer.status;
};
"""


class Nobody:
    async def verified(self, body: bytes, *, topics: object) -> None:
        raise AssertionError(body, topics)


@pytest.fixture(scope="module")
async def door(platform: Platform) -> AsyncIterator[Door]:
    async with door_at(platform, sns=Nobody(), s3_max_depth=DEEP, s3_max_inferred=INFERRED, s3_loop_grace_s=0) as door:
        yield door


@pytest.fixture(scope="module")
async def weed(door: Door, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seaweed]:
    """A SeaweedFS that posts to the door."""
    folder: Path = tmp_path_factory.mktemp("loops")
    path = await door.source(format="seaweedfs", token=TOKEN)
    async with seaweed(folder, BUCKET, webhook=f"{door.url}{path}", token=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def s3(weed: Seaweed) -> "S3Client":
    return weed.client()


@pytest.fixture(scope="module")
def presigning(weed: Seaweed) -> "S3Client":
    """One whose URLs say nothing of a body."""
    signing = Config(signature_version="s3v4", request_checksum_calculation="when_required")
    return boto3.client(
        "s3",
        endpoint_url=weed.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=signing,
    )


@pytest.fixture
def uploads(client, door: Door) -> Uploads:
    return Uploads(client, door.world.service.store)


def put_url(presigning: "S3Client", key: str, **metadata: str) -> str:
    params = {"Bucket": BUCKET, "Key": key, "Metadata": metadata}
    return presigning.generate_presigned_url("put_object", Params=params, ExpiresIn=3600)


async def refused(function: Uploaded) -> tuple[list[Invocation], Invocation]:
    """The runs that there were, and the last record, which is of one that there was not."""
    found: list[Invocation] = []
    try:
        async with asyncio.timeout(60):
            while not found or found[-1].error_type != "TriggerLoop":
                await asyncio.sleep(0.05)
                found = await function.known()
    except TimeoutError:
        raise AssertionError([(run.status, run.result, run.error, run.params[:200]) for run in found]) from None
    *runs, last = await function.runs(len(found))
    assert [run.status for run in runs] == ["SUCCESS"] * len(runs), [run.error for run in runs]
    assert [run.result for run in runs] == ["200"] * len(runs)
    assert (last.status, last.error_type, last.started_at) == ("FAILURE", "TriggerLoop", None)
    return runs, last


async def test_a_function_that_overwrites_the_object_that_set_it_off(
    uploads: Uploads, s3: "S3Client", presigning: "S3Client"
):
    urls = {"same/a.txt 0": put_url(presigning, "same/a.txt")}
    function = await uploads.deploy(
        PUTS, trigger={"bucket": BUCKET, "prefix": "same/"}, egress="public", envVars={"URLS": json.dumps(urls)}
    )
    await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key="same/a.txt", Body=b"first")
    runs, last = await refused(function)
    assert INFERRED < len(runs) <= 3 * INFERRED
    assert "deep by all appearance; 10 is the most" in last.error
    assert "same/a.txt was written by a run" in last.error
    assert last.parent_task_id == runs[-1].task_id
    assert msgspec.json.decode(last.params)["depth"] > INFERRED


async def test_a_function_that_makes_keys_of_keys(uploads: Uploads, s3: "S3Client", presigning: "S3Client"):
    keys = ["grown/a.txt"]
    for _ in range(20):
        keys.append(keys[-1].replace(".txt", "-copy.txt"))
    urls = {f"{key} 0": put_url(presigning, made) for key, made in itertools.pairwise(keys)}
    function = await uploads.deploy(
        PUTS, trigger={"bucket": BUCKET, "prefix": "grown/"}, egress="public", envVars={"URLS": json.dumps(urls)}
    )
    await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key=keys[0], Body=b"first")
    runs, last = await refused(function)
    assert DEEP < len(runs) <= 4 * DEEP
    assert "3 is the most" in last.error


async def test_a_function_that_says_how_deep_it_is(uploads: Uploads, s3: "S3Client", presigning: "S3Client"):
    """By keys that nobody could relate to one another."""
    keys = ["said/one.txt", "said/two.txt", "said/three.txt", "said/four.txt", "said/five.txt", "said/six.txt"]
    urls = {
        f"{key} {depth}": put_url(presigning, made, **{"shoal-depth": str(depth)})
        for depth, (key, made) in enumerate(itertools.pairwise(keys))
    }
    function = await uploads.deploy(
        PUTS,
        trigger={"bucket": BUCKET, "prefix": "said/"},
        egress="public",
        envVars={"URLS": json.dumps(urls), "SAYS": "yes"},
    )
    await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key=keys[0], Body=b"first")
    runs, last = await refused(function)
    assert [msgspec.json.decode(run.params)["depth"] for run in runs] == list(range(DEEP + 1))
    assert msgspec.json.decode(last.params)["depth"] == DEEP + 1
    assert "4 deep by its metadata shoal-depth; 3 is the most" in last.error


async def test_its_log_says_why(uploads: Uploads, s3: "S3Client", client):
    function = await uploads.deploy("export default () => 'ran'", trigger={"bucket": BUCKET, "prefix": "log/"})
    put = {"Bucket": BUCKET, "Key": "log/a.txt", "Body": b"x", "Metadata": {"shoal-depth": str(DEEP)}}
    await asyncio.to_thread(lambda: s3.put_object(**put))  # type: ignore[arg-type]
    _, last = await refused(function)
    entries = (await client.get(f"/v1/uploads/functions/{function.function.name}/logs")).json()["logs"]
    assert [entry["error"] for entry in entries] == [last.error]


async def test_a_client_that_overwrites_a_key_again_and_again(uploads: Uploads, s3: "S3Client"):
    """Each time when the run for the time before is over: none of them can have been written by one."""
    function = await uploads.deploy(
        "def main(params):\n return params['size']", "python", trigger={"bucket": BUCKET, "prefix": "status/"}
    )
    for number in range(3 * INFERRED):
        body = b"x" * (number + 1)
        await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key="status/now.json", Body=body)
        await function.runs(number + 1)
    results = await function.results(3 * INFERRED)
    assert sorted(results) == list(range(1, 3 * INFERRED + 1))


async def test_hundreds_of_keys_at_once(uploads: Uploads, s3: "S3Client"):
    function = await uploads.deploy(
        "def main(params):\n return params['key']", "python", trigger={"bucket": BUCKET, "prefix": "many/"}
    )
    keys = [f"many/user-{number}/avatar.png" for number in range(300)]

    async def put(some: list[str]) -> None:
        for key in some:
            await asyncio.to_thread(s3.put_object, Bucket=BUCKET, Key=key, Body=b"x")

    await asyncio.gather(*(put(keys[first::8]) for first in range(8)))
    assert sorted(await function.results(len(keys))) == sorted(keys)


async def test_what_seaweedfs_tells_beside_uploads(uploads: Uploads, s3: "S3Client"):
    """Parts, folders, tags, deletions and versions: an upload is told once, with the tag that a listing has."""
    function = await uploads.deploy(
        "def main(params):\n return [params['key'], params['etag'], params['size'], params['eventTime'][:19], "
        "params['versionId'], params['contentType'], params['metadata']]",
        "python",
        trigger={"bucket": "versions"},
    )

    def work() -> list[list[object]]:
        s3.create_bucket(Bucket="versions")
        s3.put_object(Bucket="versions", Key="folder/", Body=b"")
        s3.put_object(
            Bucket="versions", Key="tagged.txt", Body=b"tagged", ContentType="text/plain", Metadata={"a": "b"}
        )
        tags = {"TagSet": [{"Key": "one", "Value": "two"}]}
        s3.put_object_tagging(Bucket="versions", Key="tagged.txt", Tagging=tags)  # type: ignore[arg-type]
        upload = s3.create_multipart_upload(Bucket="versions", Key="deep/parts.bin")["UploadId"]
        parts = [
            s3.upload_part(
                Bucket="versions", Key="deep/parts.bin", UploadId=upload, PartNumber=n, Body=b"x" * (5 << 20)
            )
            for n in (1, 2)
        ]
        made = {"Parts": [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(parts, 1)]}
        s3.complete_multipart_upload(Bucket="versions", Key="deep/parts.bin", UploadId=upload, MultipartUpload=made)  # type: ignore[arg-type]
        listed = [
            [one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"].isoformat()[:19]]
            for one in s3.list_objects_v2(Bucket="versions")["Contents"]
            if not one["Key"].endswith("/")
        ]
        s3.delete_object(Bucket="versions", Key="deep/parts.bin")
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"one", b"two!"):
            one = s3.put_object(Bucket="versions", Key="docs/f.txt", Body=body)
            head = s3.head_object(Bucket="versions", Key="docs/f.txt")
            at = head["LastModified"].isoformat()[:19]
            listed.append(["docs/f.txt", one["ETag"].strip('"'), len(body), at, one["VersionId"]])
        s3.delete_object(Bucket="versions", Key="docs/f.txt")
        s3.put_object(Bucket="versions", Key="last.txt", Body=b"x")
        return sorted(listed, key=str)

    listed = await asyncio.to_thread(work)
    async with asyncio.timeout(60):
        while not any(msgspec.json.decode(run.params)["key"] == "last.txt" for run in await function.known()):
            await asyncio.sleep(0.05)
    told = sorted((one for one in await function.results(len(listed) + 1) if one[0] != "last.txt"), key=str)
    assert [one[: len(known)] for one, known in zip(told, listed, strict=False)] == listed
    assert len(told) == len(listed)
    assert [one[5:] for one in told if one[0] == "tagged.txt"] == [["text/plain", {"a": "b"}]]
