"""The head of a request: bounded in size, refused in JSON, and of one mind about who asks."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import Deploy
from tests.platform import Platform


async def answered(platform: Platform, *pieces: bytes) -> tuple[int, dict[str, str]]:
    """Send raw bytes until the server has had enough; its answer's status and body."""
    url = urlsplit(platform.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=10)
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await asyncio.wait_for(reader.readexactly(length), timeout=10)
    finally:
        writer.close()
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: a\r\n" * 20_000,
        b"GET /" + b"a" * 100_000,
    ],
    ids=["one long header", "many headers", "long path"],
)
async def test_a_head_without_end_is_refused(platform: Platform, head: bytes) -> None:
    status, body = await answered(platform, head)
    assert status == 431
    assert "65536 bytes" in body["error"]


async def test_a_whole_head_that_is_too_long_is_refused(platform: Platform) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: %s\r\n" % (b"a" * 1000) * 100 + b"\r\n"
    status, _ = await answered(platform, head)
    assert status == 431


async def test_a_head_that_is_too_long_is_refused_with_its_body(platform: Platform) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + b"X-A: %s\r\n" % (b"a" * 1000) * 100
    status, body = await answered(platform, head + b"\r\nhello")
    assert status == 431
    assert "65536 bytes" in body["error"]


async def test_what_is_no_http_is_refused_in_json(platform: Platform) -> None:
    status, body = await answered(platform, b"what is this\r\n\r\n")
    assert status == 400
    assert body["error"] == body["message"] == body["detail"] == "Invalid HTTP request received."


async def test_a_declared_body_over_the_cap_is_refused_at_once(platform: Platform) -> None:
    head = (
        b"POST /api/functions/any/execute/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
        b"Content-Length: 99999999\r\n\r\n{" % platform.token.encode()
    )
    status, body = await answered(platform, head)
    assert status == 413
    assert "bytes" in body["error"]


@pytest.mark.parametrize("first", ["right", "wrong"])
async def test_two_tokens_are_no_token(
    client: httpx.AsyncClient, platform: Platform, deploy: Deploy, first: str
) -> None:
    slug = await deploy()
    right, wrong = f"Bearer {platform.token}", "Bearer nobody"
    sent = [right, wrong] if first == "right" else [wrong, right]
    headers = [("Authorization", value) for value in sent]
    async with httpx.AsyncClient(base_url=platform.url) as anyone:
        listed = await anyone.get("/api/functions/", headers=headers)
        executed = await anyone.post(f"/api/functions/{slug}/execute/", headers=headers, json={})
    assert (listed.status_code, executed.status_code) == (401, 401)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\x00b"},
        {"name": "\x1b[31m"},
        {"name": "Head", "headers": {"a\r\nb": "c"}},
        {"name": "Head", "headers": {"X-A": "b\r\nc: d"}},
        {"name": "Head", "webhook_url": "file:///etc/passwd"},
    ],
)
async def test_names_and_headers_are_one_line_of_text(client: httpx.AsyncClient, fields: dict[str, object]) -> None:
    refused = await client.post("/api/apps/tests/functions/", json=fields)
    assert refused.status_code == 400, refused.text
