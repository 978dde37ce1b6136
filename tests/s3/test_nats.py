"""Uploads that MinIO tells a NATS server, a real one; its address is the tenant's word, and so judged."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.adapters import nats as adapter
from shared import embedded
from shared.domain.problem import Problem
from tests.hooks import certificate
from tests.s3.learner import Learner

SUBJECT = "minio.uploads"


def told(key: str, *, sequencer: str = "18A1B2C3D4E5F600") -> bytes:
    """As MinIO's NATS target publishes it."""
    landed = {
        "key": key.replace("/", "%2F").replace(" ", "+"),
        "size": 3,
        "eTag": "202cb962ac59075b964b07152d234b70",
        "contentType": "image/png",
        "userMetadata": {"content-type": "image/png", "X-Amz-Meta-Who": "me"},
        "sequencer": sequencer,
    }
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": "2026-11-21T19:14:50.812Z",
        "eventName": "s3:ObjectCreated:Put",
        "userIdentity": {"principalId": "minioadmin"},
        "requestParameters": {"principalId": "minioadmin", "region": "", "sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "1", "x-minio-origin-endpoint": "http://127.0.0.1:9000"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": "uploads", "ownerIdentity": {"principalId": "m"}, "arn": "arn:aws:s3:::uploads"},
            "object": landed,
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO (linux; amd64)"},
    }
    event = {"EventName": "s3:ObjectCreated:Put", "Key": f"uploads/{key}", "Records": [record]}
    return json.dumps(event).encode()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[embedded.Nats]:
    """MinIO's own NATS server, not ours."""
    server = embedded.Nats(tmp_path / "nats")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def minio(server: embedded.Nats) -> AsyncIterator[Client]:
    async with await nats.connect(server.url) as client:
        yield client


def listening(server: embedded.Nats, *, password: str = "", stream: str = "", **more: Any) -> Learner:
    user, _, right = server.url.removeprefix("nats://").partition("@")[0].partition(":")
    config = {"url": f"nats://127.0.0.1:{server.port}", "subject": SUBJECT, "user": user, "stream": stream}
    return Learner("nats", config, secrets={"password": password or right}, **more)


async def until_well(learner: Learner) -> None:
    await learner._until(lambda: learner.rounds)


async def test_what_is_published_is_told(server: embedded.Nats, minio: Client):
    learner = listening(server)
    async with learner.running(adapter.run):
        await until_well(learner)
        await minio.publish(SUBJECT, b"{no json")
        await minio.publish(SUBJECT, told("a b/ü.png"))
        await learner.until(1)
    (event,) = learner.told
    assert (event.teller, event.bucket, event.key) == ("minio:s3", "uploads", "a b/ü.png")
    assert (event.size, event.content_type, event.metadata) == (3, "image/png", {"who": "me"})


async def test_a_stream_keeps_what_is_not_taken_and_what_comes_while_nobody_listens(
    server: embedded.Nats, minio: Client
):
    context = minio.jetstream()
    await context.add_stream(StreamConfig(name="MINIO", subjects=["minio.>"]))
    learner = listening(server, stream="MINIO")
    learner.refuses = True
    await context.publish(SUBJECT, told("1"))
    with pytest.raises(Problem, match="bus"):
        await adapter.run(learner.source)
    await context.publish(SUBJECT, told("2"))
    await _lease_over(minio, "MINIO", f"shoal-{learner.source.source.public_id}")
    learner.refuses = False
    async with learner.running(adapter.run):
        await learner.until(2)
        await context.publish(SUBJECT, told("3"))
        await learner.until(3)
    assert sorted(learner.keys) == ["1", "2", "3"]
    async with learner.running(adapter.run):
        await context.publish(SUBJECT, told("4"))
        await learner.until(4)
    assert learner.keys[3:] == ["4"], "what was acknowledged does not come again"


async def _lease_over(client: Client, stream: str, durable: str) -> None:
    """What was handed out is handed out again at once, rather than in a minute."""
    info = await client.jetstream().consumer_info(stream, durable)
    assert info.num_ack_pending == 1
    info.config.ack_wait = 0.1
    await client.jetstream().add_consumer(stream, info.config)


async def test_a_stream_is_read_from_the_sources_beginning(server: embedded.Nats, minio: Client):
    context = minio.jetstream()
    await context.add_stream(StreamConfig(name="MINIO", subjects=["minio.>"]))
    await context.publish(SUBJECT, told("before"))
    learner = listening(server, stream="MINIO")
    await context.publish(SUBJECT, told("after"))
    async with learner.running(adapter.run):
        await learner.until(1)
    assert learner.keys == ["after"]


async def test_a_server_that_ends_is_the_sources_fault_and_one_that_is_back_is_read_again(
    server: embedded.Nats, minio: Client
):
    await minio.close()
    learner = listening(server)
    running = asyncio.ensure_future(adapter.run(learner.source))
    async with asyncio.timeout(30):
        while not learner.rounds:
            await asyncio.sleep(0.02)
    await server.stop()
    with pytest.raises(SourceFault, match=r"closed the connection|broke"):
        await asyncio.wait_for(running, timeout=30)
    with pytest.raises(SourceFault, match="cannot be reached"):
        await adapter.run(learner.source)
    await server.start()
    before = learner.rounds
    async with learner.running(adapter.run), await nats.connect(server.url) as client:
        await learner._until(lambda: learner.rounds > before)
        await client.publish(SUBJECT, told("k"))
        await learner.until(1)


async def test_a_wrong_password_is_the_sources_fault(server: embedded.Nats):
    with pytest.raises(SourceFault, match="refused the user, the password or the token"):
        await adapter.run(listening(server, password="wrong").source)


async def test_a_stream_that_is_not_there_is_the_sources_fault(server: embedded.Nats):
    with pytest.raises(SourceFault, match="no such stream"):
        await adapter.run(listening(server, stream="NONE").source)


async def test_this_machine_is_not_open_to_tenants(server: embedded.Nats):
    with pytest.raises(SourceFault, match="not on the public internet"):
        await adapter.run(listening(server, egress_private=False).source)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1", "must be nats://"),
        ("nats://me:secret@127.0.0.1", "no user in it"),
        ("nats://127.0.0.1:x", "none"),
    ],
)
async def test_an_address_of_another_kind_is_the_sources_fault(url: str, reason: str):
    learner = Learner("nats", {"url": url, "subject": SUBJECT}, secrets={})
    with pytest.raises(SourceFault, match=reason):
        await adapter.run(learner.source)


class Impostor:
    """Speaks just enough of the protocol to do harm. `lines` are what it was told."""

    def __init__(self, *, info: str = "{}", flood: bytes = b"") -> None:
        self.lines: list[bytes] = []
        self.ended = asyncio.Event()
        self._info = info
        self._flood = flood

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"INFO {self._info}\r\n".encode())
        try:
            while line := await reader.readline():
                self.lines.append(line)
                if line.startswith(b"PING"):
                    writer.write(b"PONG\r\n")
                if line.startswith(b"SUB"):
                    writer.write(self._flood)
        except OSError:
            pass
        finally:
            self.ended.set()
            writer.close()


async def test_a_message_without_end_is_not_kept():
    flood = b"MSG minio.uploads 1 999999999999\r\n" + b"x" * (3 << 20)
    impostor = Impostor(flood=flood)
    async with await asyncio.start_server(impostor.serve, "127.0.0.1", 0) as listening:
        url = f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        with pytest.raises(SourceFault, match=r"closed the connection|broke"):
            await adapter.run(Learner("nats", {"url": url, "subject": SUBJECT}, secrets={}).source)
        await asyncio.wait_for(impostor.ended.wait(), timeout=10)


async def test_a_password_is_not_sent_in_clear_where_tls_is_asked_for():
    impostor = Impostor()
    async with await asyncio.start_server(impostor.serve, "127.0.0.1", 0) as listening:
        url = f"tls://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        learner = Learner("nats", {"url": url, "subject": SUBJECT, "user": "me"}, secrets={"password": "secret"})
        with pytest.raises(SourceFault, match="does not speak TLS"):
            await adapter.run(learner.source)
        await asyncio.wait_for(impostor.ended.wait(), timeout=10)
    assert not any(b"secret" in line for line in impostor.lines)


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path):
    _, public = certificate(tmp_path, "127.0.0.1")
    private = public.with_suffix(".key")
    server = TlsNats(tmp_path / "nats", public=public, private=private)
    await server.start()
    try:
        user, _, password = server.url.removeprefix("nats://").partition("@")[0].partition(":")
        config = {"url": f"tls://127.0.0.1:{server.port}", "subject": SUBJECT, "user": user}
        secrets = {"password": password}
        with pytest.raises(SourceFault, match="certificate is not believed"):
            await adapter.run(Learner("nats", config, secrets=secrets).source)
        learner = Learner("nats", config, secrets=secrets, egress_ca_file=str(public))
        trust = ssl.create_default_context(cafile=str(public))
        async with learner.running(adapter.run), await nats.connect(server.url, tls=trust) as client:
            await until_well(learner)
            await client.publish(SUBJECT, told("k"))
            await learner.until(1)
    finally:
        await server.stop()
    assert learner.keys == ["k"]


class TlsNats(embedded.Nats):
    """The same server, encrypted."""

    def __init__(self, folder: Path, *, public: Path, private: Path) -> None:
        super().__init__(folder)
        self._tls = f'tls {{ cert_file: "{public}", key_file: "{private}" }}\n'

    def _prepare(self) -> list[str | Path]:
        argv = super()._prepare()
        config = self.folder / "nats.conf"
        config.write_text(config.read_text() + self._tls)
        return argv
