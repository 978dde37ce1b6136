"""What a tenant's source may reach, and with whose access: boto3's clients against servers that are not Amazon's."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from services.triggers.kinds.s3 import clients
from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.aws import S3, Sqs
from shared.config import Platform
from shared.domain.event_source import S3Access
from tests.hooks import Received, always, certificate, response, serving

CLOSED = Platform(nats_url="", mongodb_url="")
OPEN = Platform(nats_url="", mongodb_url="", egress_private=True)
EMPTY = b'<?xml version="1.0"?><ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>'
LISTED = response(200, EMPTY, kind="application/xml")


def s3(url: str, platform: Platform = OPEN, *, key: str = "AKIATENANT", secret: str = "tenants own") -> S3:
    return S3(S3Access(endpoint_url=url, access_key_id=key), secret, platform)


async def fault(asked: S3) -> str:
    with pytest.raises(SourceFault) as found:
        await asked.list_page("photos")
    asked.close()
    return str(found.value)


async def test_nothing_of_the_operators_own_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "config"
    file.write_text("[default]\nregion = eu-north-1\naws_access_key_id = AKIAOPERATOR\naws_secret_access_key = x\n")
    async with serving() as operators, serving() as hook:
        hook.answer = always(LISTED)
        operators_own = {
            "AWS_ACCESS_KEY_ID": "AKIAOPERATOR", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "t",
            "AWS_PROFILE": "missing", "AWS_DEFAULT_REGION": "eu-north-1", "AWS_CONFIG_FILE": str(file),
            "AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_ENDPOINT_URL": operators.url,
            "AWS_ENDPOINT_URL_S3": operators.url, "AWS_CA_BUNDLE": "/nowhere", "HTTP_PROXY": operators.url,
            "http_proxy": operators.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": operators.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": operators.url, "AWS_DEFAULTS_MODE": "auto",
            "AWS_MAX_ATTEMPTS": "9",
        }  # fmt: skip
        for name, value in operators_own.items():
            monkeypatch.setenv(name, value)
        clients._session.cache_clear()
        signed, unsigned = s3(hook.url), s3(hook.url, key="", secret="")
        await signed.list_page("photos")
        await unsigned.list_page("photos")
        hook.answer = always(response(503, b"", kind=""))
        assert "503" in await fault(s3(hook.url))
        for asked in (signed, unsigned):
            asked.close()
        clients._session.cache_clear()
        first, second, *tried = hook.received
        assert "Credential=AKIATENANT/" in first.headers["authorization"]
        assert "/us-east-1/s3/" in first.headers["authorization"]
        assert "x-amz-security-token" not in first.headers
        assert "authorization" not in second.headers
        assert len(tried) == 1
        assert not operators.connections


async def test_private_addresses_are_not_reached(monkeypatch: pytest.MonkeyPatch):
    async with serving() as hook:
        hook.answer = always(LISTED)
        said = f"The endpoint 127.0.0.1:{hook.port} cannot be reached: it is not on the public internet"
        assert await fault(s3(hook.url, CLOSED)) == said
        monkeypatch.setattr(socket, "getaddrinfo", _answers([["127.0.0.1", "::1"]]))
        assert "not on the public internet" in await fault(s3(f"http://inside.example:{hook.port}", CLOSED))
        assert "not on the public internet" in await fault(s3("http://169.254.169.254", OPEN))
        assert not hook.connections


async def test_a_name_that_changes_its_mind_is_asked_once(monkeypatch: pytest.MonkeyPatch):
    """The address that was judged is the one that is connected to, and of several only those that may be."""
    permitted = Platform(nats_url="", mongodb_url="", egress_allow="127.0.0.2/32")
    async with serving(host="127.0.0.2") as open_one, serving() as inside:
        open_one.answer = always(LISTED)
        answers = _answers([["127.0.0.1", "127.0.0.2"], ["127.0.0.1"]])
        monkeypatch.setattr(socket, "getaddrinfo", answers)
        asked = s3(f"http://rebinding.example:{open_one.port}", permitted)
        await asked.list_page("photos")
        await asked.list_page("photos")  # on the same connection
        open_one.drop()
        assert "not on the public internet" in await fault(asked)
        assert len(open_one.received) == 2
        assert open_one.received[0].headers["host"] == f"rebinding.example:{open_one.port}"
        assert not inside.connections


def _answers(answers: list[list[str]]) -> Any:
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        if host.replace(".", "").isdigit():
            found = [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return getaddrinfo


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_leads_nowhere(status: int):
    async with serving() as elsewhere, serving() as hook:
        hook.answer = always(response(status, b"", kind="", Location=f"{elsewhere.url}/photos"))
        assert "sends us elsewhere" in await fault(s3(hook.url))
        assert len(hook.received) == 1
        assert not elsewhere.connections


async def test_a_certificate_is_checked(tmp_path: Path):
    tls, public = certificate(tmp_path, "127.0.0.1")
    trusting = Platform(nats_url="", mongodb_url="", egress_private=True, egress_ca_file=str(public))
    async with serving(tls=tls) as hook:
        hook.answer = always(LISTED)
        assert "no certificate that can be believed" in await fault(s3(hook.url))
        asked = s3(hook.url, trusting)
        assert (await asked.list_page("photos")).objects == []
        asked.close()


async def test_an_answer_is_bounded():
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n")
        for _number in range(40):
            writer.write(b"x" * (1 << 20))
            await writer.drain()

    async with serving() as hook:
        hook.answer = endless
        assert "more than" in await fault(s3(hook.url))


@pytest.mark.parametrize(
    "answer",
    [b"no http\r\n\r\n", response(200, b"<not xml", kind="application/xml"), response(200, b"{}"), response(500, b"?")],
)
async def test_nonsense_is_a_fault_of_the_source(answer: bytes):
    async with serving() as hook:
        hook.answer = always(answer)
        assert "tenants own" not in await fault(s3(hook.url))


async def test_a_kept_connection_that_was_closed_is_no_fault():
    async with serving() as hook:
        hook.answer = always(LISTED)
        asked = s3(hook.url)
        for _ in range(3):
            await asked.list_page("photos")
            hook.drop()
        asked.close()
        assert len(hook.received) == 3


async def test_a_long_poll_ends_when_its_source_does():
    async with serving() as hook:
        waiting = asyncio.Event()

        async def silent(_: Received, __: asyncio.StreamWriter) -> None:
            waiting.set()
            await asyncio.sleep(60)

        hook.answer = silent
        queue = Sqs(f"{hook.url}/1/uploads", S3Access(access_key_id="AKIATENANT"), "x", OPEN)
        receiving = asyncio.create_task(queue.receive())
        await waiting.wait()
        began = time.monotonic()
        queue.close()
        with pytest.raises(SourceFault):
            await receiving
        assert time.monotonic() - began < 5
        assert hook.connections == 1
