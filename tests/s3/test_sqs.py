"""Uploads learned from a queue: moto's S3 tells moto's SQS, straight, by SNS and by EventBridge."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.platform import Platform
from tests.s3.aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Moto, moto
from tests.s3.shoal import Uploads, another_triggers, shoal
from tests.s3.told import AWS, changed

TAKEOVER_S = 10.0
MANY = 300
PNG = "image/png"


@pytest.fixture(scope="module")
async def aws(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Moto]:
    async with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with shoal(tmp_path_factory.mktemp("sqs")) as platform:
        yield platform


@pytest.fixture(scope="module")
async def uploads(platform: Platform) -> AsyncIterator[Uploads]:
    async with platform.client() as client:
        yield Uploads(platform, client)


def access(aws: Moto) -> dict[str, Any]:
    return {"endpoint_url": aws.endpoint, "access_key_id": ACCESS_KEY_ID, "region": REGION}


async def reading(uploads: Uploads, aws: Moto, queue_url: str) -> str:
    """A source that reads the queue, when it does; its name."""
    config = {"queue_url": queue_url, "access": access(aws)}
    name = str((await uploads.source("sqs", config, secret_access_key=SECRET_ACCESS_KEY))["name"])
    await uploads.works(name)
    return name


async def put(aws: Moto, bucket: str, keys: Sequence[str]) -> None:
    """Put objects, several at a time."""
    s3 = aws.s3

    def one(key: str) -> None:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType=PNG)

    def every() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, keys))

    await asyncio.to_thread(every)


async def until_empty(aws: Moto, queue_url: str, *, but: int = 0) -> None:
    async with asyncio.timeout(30):
        while aws.left(queue_url) != but:
            await asyncio.sleep(0.1)


async def test_one_queue_has_the_words_of_s3_of_sns_and_of_eventbridge(uploads: Uploads, aws: Moto):
    queue_url, queue_arn = aws.queue()
    straight = aws.bucket_to_queue(queue_arn)
    sns = aws.client("sns")
    topic = sns.create_topic(Name="uploads")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    by_sns = aws.bucket(TopicConfigurations=[{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}])
    events = aws.client("events")
    events.put_rule(Name="uploads", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": queue_arn}])
    by_eventbridge = aws.bucket(EventBridgeConfiguration={})
    slugs = [
        await uploads.function(straight, prefix="in put/"),
        await uploads.function(by_sns, contentTypes=["image/*"]),  # which has to be asked for
        await uploads.function(by_eventbridge),
    ]
    name = await reading(uploads, aws, queue_url)
    for bucket in (straight, by_sns, by_eventbridge):
        await put(aws, bucket, ["in put/a b+ü.png"])
        aws.s3.delete_object(Bucket=bucket, Key="another")
    await put(aws, straight, ["elsewhere.png"])
    for slug in slugs:
        await uploads.until_run(slug, 1)
    aws.sqs.send_message(QueueUrl=queue_url, MessageBody="neither of them")
    await until_empty(aws, queue_url, but=1)  # it is left to the queue's own policy; the test events are gone
    status = await uploads.until(name, lambda found: found["events"] == 4)
    assert (status["state"], status["error"]) == ("running", "")
    assert status["last_event_at"]
    await uploads.delete(name)


async def test_of_a_message_with_a_record_that_cannot_be_read_the_others_are_taken(uploads: Uploads, aws: Moto):
    queue_url, _ = aws.queue()
    slug = await uploads.function("photos")
    name = await reading(uploads, aws, queue_url)
    told = {
        "Records": [
            changed(AWS, "Records", 0, "s3", bucket={"name": "photos"}, object={"key": key})["Records"][0]
            for key in ("a", "%FF", "b")
        ]
    }
    aws.sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(told))
    await uploads.until_run(slug, 2)
    await until_empty(aws, queue_url, but=1)  # it is left to the queue's own policy
    await uploads.delete(name)


async def test_what_is_told_twice_runs_once(uploads: Uploads, aws: Moto):
    queue_url, queue_arn = aws.queue()
    bucket = aws.bucket_to_queue(queue_arn)
    slug = await uploads.function(bucket)
    await put(aws, bucket, ["a.png"])
    sqs = aws.sqs
    told: list[str] = []
    while not any("Records" in body for body in told):
        found = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        told += [message["Body"] for message in found.get("Messages", ())]
    for _ in range(3):
        sqs.send_message(QueueUrl=queue_url, MessageBody=next(body for body in told if "Records" in body))
    name = await reading(uploads, aws, queue_url)
    await until_empty(aws, queue_url)
    assert await uploads.runs(slug) == 1
    await uploads.delete(name)


async def test_a_source_stops_when_it_is_disabled_and_goes_on_where_it_was(uploads: Uploads, aws: Moto):
    queue_url, queue_arn = aws.queue()
    bucket = aws.bucket_to_queue(queue_arn)
    slug = await uploads.function(bucket)
    name = await reading(uploads, aws, queue_url)
    await until_empty(aws, queue_url)
    assert (await uploads.change(name, enabled=False))["status"]["state"] == "stopped"
    await uploads.until(name, lambda found: found["owner"] == "")
    await put(aws, bucket, ["a.png"])
    assert aws.left(queue_url) == 1
    await uploads.change(name, enabled=True)
    await uploads.until_run(slug, 1)
    await until_empty(aws, queue_url)
    await uploads.delete(name)


async def test_a_source_whose_access_is_revoked_says_so_and_comes_back(uploads: Uploads, tmp_path: Path):
    """Another source beside it notices nothing."""
    async with moto(tmp_path / "revoked") as aws, moto(tmp_path / "beside") as other:
        beside_url, beside_arn = other.queue()
        beside_bucket = other.bucket_to_queue(beside_arn)
        beside_slug = await uploads.function(beside_bucket)
        beside = await reading(uploads, other, beside_url)
        queue_url, queue_arn = aws.queue()
        bucket = aws.bucket_to_queue(queue_arn)
        slug = await uploads.function(bucket)
        key, operators = allowed(aws, "reader"), allowed(aws, "operator")
        config = {
            "queue_url": queue_url,
            "access": {"endpoint_url": aws.endpoint, "access_key_id": key["AccessKeyId"]},
        }
        name = (await uploads.source("sqs", config, secret_access_key=key["SecretAccessKey"]))["name"]
        await uploads.works(name)
        await put(aws, bucket, ["before.png"])
        await uploads.until_run(slug, 1)
        await aws.checks_access(after=0)
        iam = boto3.client(
            "iam", endpoint_url=aws.endpoint, region_name=REGION,
            aws_access_key_id=operators["AccessKeyId"], aws_secret_access_key=operators["SecretAccessKey"],
        )  # fmt: skip
        iam.delete_user_policy(UserName="reader", PolicyName="all")
        status = await uploads.until(name, lambda found: found["state"] == "failing")
        assert status["error"] == f"Access to queue '{queue_url.rpartition('/')[2]}' is denied"
        failing_since = status["since"]
        await put_as(aws, operators, bucket, "meanwhile.png")
        await put(other, beside_bucket, ["beside.png"])
        await uploads.until_run(beside_slug, 1)
        assert (await uploads.works(beside))["error"] == ""
        iam.put_user_policy(UserName="reader", PolicyName="all", PolicyDocument=ALL)
        status = await uploads.works(name)
        assert (status["error"], status["since"] >= failing_since) == ("", True)
        await uploads.until_run(slug, 2)
        for one in (name, beside):
            await uploads.delete(one)


ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def allowed(aws: Moto, user: str) -> dict[str, str]:
    """A key of a new user, who may do everything."""
    iam = aws.client("iam")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=ALL)
    key: dict[str, str] = iam.create_access_key(UserName=user)["AccessKey"]
    return key


async def put_as(aws: Moto, key: dict[str, str], bucket: str, name: str) -> None:
    s3: Any = boto3.client(
        "s3", endpoint_url=aws.endpoint, region_name=REGION,
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
    )  # fmt: skip
    await asyncio.to_thread(s3.put_object, Bucket=bucket, Key=name, Body=b"x")


async def test_another_process_takes_over_from_one_that_is_killed(uploads: Uploads, aws: Moto, tmp_path: Path):
    """None of the uploads is lost, none sets anything off twice, however often the owner dies."""
    queue_url, queue_arn = aws.queue()
    bucket = aws.bucket_to_queue(queue_arn)
    slug = await uploads.function(bucket)
    name = await reading(uploads, aws, queue_url)
    platform = uploads.platform
    first = (await uploads.works(name))["owner"]
    async with another_triggers(platform, tmp_path) as another:
        putting = asyncio.create_task(put(aws, bucket, [f"{number}.png" for number in range(MANY)]))
        await uploads.until(name, lambda found: found["events"] > 10)
        dead = platform.kill("triggers")
        killed_at = time.monotonic()
        status = await uploads.until(name, lambda found: found["owner"] not in ("", first))
        assert time.monotonic() - killed_at < TAKEOVER_S
        assert f"-{another.pid}-" in status["owner"]
        await platform.restarted("triggers", dead)
        await putting
        another.kill()
        killed_at = time.monotonic()
        third = await uploads.until(name, lambda found: found["owner"] not in ("", status["owner"]))
        assert time.monotonic() - killed_at < TAKEOVER_S
        assert third["owner"] != first
        await uploads.until_run(slug, MANY, within_s=90)
        await until_empty(aws, queue_url)
    await uploads.delete(name)


async def test_a_process_that_stops_hands_its_sources_over_at_once(uploads: Uploads, aws: Moto, tmp_path: Path):
    queue_url, _ = aws.queue()
    async with another_triggers(uploads.platform, tmp_path) as another:
        names: list[str] = []
        while not (mine := [name for name in names if await is_of(uploads, name, another.pid)]):
            names.append(await reading(uploads, aws, queue_url))
        another.terminate()
        stopped_at = time.monotonic()
        await uploads.until(mine[0], lambda found: f"-{another.pid}-" not in found["owner"] and found["owner"] != "")
        assert time.monotonic() - stopped_at < TAKEOVER_S / 2
        assert await another.wait() == 0
    for name in names:
        await uploads.delete(name)


async def is_of(uploads: Uploads, name: str, pid: int) -> bool:
    return f"-{pid}-" in (await uploads.works(name))["owner"]


async def test_a_private_network_is_not_reached_unless_the_operator_opens_it(tmp_path: Path, aws: Moto):
    queue_url, _ = aws.queue()
    async with shoal(tmp_path, SHOAL_EGRESS_PRIVATE="false") as platform, platform.client() as client:
        uploads = Uploads(platform, client)
        config = {"queue_url": queue_url, "access": access(aws)}
        name = (await uploads.source("sqs", config, secret_access_key=SECRET_ACCESS_KEY))["name"]
        status = await uploads.until(name, lambda found: found["state"] == "failing")
        where = aws.endpoint.removeprefix("http://")
        assert status["error"] == f"The endpoint {where} cannot be reached: it is not on the public internet"
