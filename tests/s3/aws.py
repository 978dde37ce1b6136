"""Amazon's services as moto serves them, in a process of its own: S3 with notifications, SQS, SNS, EventBridge, IAM."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.config import Config

from shared.embedded.process import end, spawn
from shared.embedded.server import free_port

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

REGION = "us-east-1"
ACCOUNT = "123456789012"
ACCESS_KEY_ID = "shoal-test"
SECRET_ACCESS_KEY = "shoal-test-secret"
START_S = 60.0
STOP_S = 10.0
_THREADS = 32
_numbers = count(1)


class Moto:
    """One server. What it has is forgotten when it stops."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = folder / "moto.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Return when it answers."""
        environ = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000000"}
        with self._log.open("ab") as output:
            argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
            self._process = await spawn(argv, env=environ, output=output.fileno())
        async with asyncio.timeout(START_S), httpx.AsyncClient() as http:
            while True:
                assert self._process.returncode is None, self._log.read_text()[-4000:]
                try:
                    if (await http.get(f"{self.endpoint}/moto-api/data.json")).status_code == httpx.codes.OK:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            await end(self._process, within_s=STOP_S)
            self._process = None

    def client(self, service: Any) -> Any:
        """A client of one of the services, for as many threads as may be asked to put."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            config=Config(max_pool_connections=_THREADS, s3={"addressing_style": "path"}),
        )

    @property
    def s3(self) -> "S3Client":
        client: S3Client = self.client("s3")
        return client

    @property
    def sqs(self) -> "SQSClient":
        client: SQSClient = self.client("sqs")
        return client

    async def checks_access(self, *, after: int) -> None:
        """From so many calls on, only those are let in who have a key of IAM, and a policy that allows it."""
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self.endpoint}/moto-api/reset-auth", content=str(after).encode())
            assert answer.status_code == httpx.codes.OK, answer.text

    def queue(self, *, attempts: int = 0) -> tuple[str, str]:
        """URL and ARN of a new queue; with `attempts` a message that was handed out so often goes to another one."""
        sqs = self.sqs
        name = f"uploads-{next(_numbers)}"
        attributes: dict[str, str] = {}
        if attempts:
            dead = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead"
            sqs.create_queue(QueueName=f"{name}-dead")
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": str(attempts)})
        made = sqs.create_queue(QueueName=name, Attributes=attributes)  # type: ignore[arg-type]
        return made["QueueUrl"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def bucket(self, **told: Any) -> str:
        """A new bucket which tells of uploads as S3's NotificationConfiguration says."""
        s3, name = self.s3, f"bucket-{next(_numbers)}"
        s3.create_bucket(Bucket=name)
        if told:
            s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)  # type: ignore[arg-type]
        return name

    def bucket_to_queue(self, queue_arn: str) -> str:
        """A new bucket that tells a queue."""
        return self.bucket(QueueConfigurations=[{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}])

    def left(self, queue_url: str) -> int:
        """How many messages a queue has, with those that are hidden."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found: Any = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@asynccontextmanager
async def moto(folder: Path) -> AsyncIterator[Moto]:
    """A server for as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything runs
    server = Moto(folder)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
