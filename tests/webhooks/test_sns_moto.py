"""Messages as a real server of SNS signs them: moto's. It names AWS's own host, and has its certificate itself."""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from services.triggers.sns import NotFromSns, Sns
from tests.hooks import Hook, Received, response, serving
from tests.webhooks.sns_signing import PLATFORM

_FOR_SNS = {"authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sns/aws4_request, Signature=x"}
_WITHIN_S = 30.0


@pytest.fixture(scope="module")
async def moto(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    folder: Path = tmp_path_factory.mktemp("moto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, cwd=folder)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=_FOR_SNS) as client:
            async with asyncio.timeout(_WITHIN_S):
                while not await _is_up(client):
                    await asyncio.sleep(0.05)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def _is_up(client: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get("/moto-api/")).status_code == 200
    return False


class Topic:
    """A topic of moto's, with a relay that is told of its messages and hands out its certificates."""

    def __init__(self, moto: httpx.AsyncClient, hook: Hook) -> None:
        self._moto = moto
        self._hook = hook
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.arn = ""
        hook.answer = self._answer

    async def _answer(self, received: Received, writer: Any) -> None:
        if received.method == "POST":
            self.told.put_nowait(received.json)
            writer.write(response())
        else:
            found = await self._moto.get(received.path)
            writer.write(response(found.status_code, found.content))

    async def ask(self, action: str, **parts: str) -> str:
        answer = await self._moto.post("/", data={"Action": action, **parts})
        assert answer.status_code == 200, answer.text
        return answer.text

    async def open(self) -> None:
        found = re.search("<TopicArn>(.*)</TopicArn>", await self.ask("CreateTopic", Name=f"uploads-{self._hook.port}"))
        assert found
        self.arn = found.group(1)
        await self.ask("Subscribe", TopicArn=self.arn, Protocol="http", Endpoint=self._hook.url + "/hook")

    async def message(self, **parts: str) -> dict[str, Any]:
        """What is told of a message that is published, with its certificate to be had here."""
        await self.ask("Publish", TopicArn=self.arn, **parts)
        async with asyncio.timeout(_WITHIN_S):
            told = await self.told.get()
        file = told["SigningCertURL"].removeprefix("https://sns.us-east-1.amazonaws.com")
        assert file != told["SigningCertURL"]
        return {**told, "SigningCertURL": self._hook.url + file}


@pytest.fixture
async def topic(moto: httpx.AsyncClient) -> AsyncIterator[Topic]:
    async with serving() as hook:
        topic = Topic(moto, hook)
        await topic.open()
        yield topic


@pytest.fixture
async def sns(topic: Topic) -> AsyncIterator[Sns]:
    sns = Sns(PLATFORM, hosts=topic._hook.url.removeprefix("http://"))
    yield sns
    await sns.close()


async def test_what_moto_signs_is_believed(topic: Topic, sns: Sns):
    told = await topic.message(Message='{"Records":[{"ü":1}]}')
    message = await sns.verified(msgspec.json.encode(told), topics=[topic.arn])
    assert (message.message, message.message_id) == ('{"Records":[{"ü":1}]}', told["MessageId"])


async def test_what_was_changed_is_not(topic: Topic, sns: Sns):
    told = await topic.message(Message="one")
    for changed in ({"Message": "two"}, {"MessageId": "x"}, {"SignatureVersion": "1"}):
        with pytest.raises(NotFromSns, match="signature"):
            await sns.verified(msgspec.json.encode({**told, **changed}), topics=[topic.arn])


async def test_a_subject_must_be_signed_as_aws_does(topic: Topic, sns: Sns):
    told = await topic.message(Message="one", Subject="of moto's, which does not sign it")
    assert told["Subject"]
    with pytest.raises(NotFromSns, match="signature"):
        await sns.verified(msgspec.json.encode(told), topics=[topic.arn])
