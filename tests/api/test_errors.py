"""What is refused before it reaches a function: tokens, paths, methods, bodies."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.conftest import sentence
from tests.platform import Platform

PATHS = [("GET", "/api/apps/a/functions/"), ("POST", "/api/apps/a/functions/"), ("POST", "/api/functions/x/execute/")]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic YTpi", "token"])
async def test_without_a_token(platform: Platform, method: str, path: str, authorization: str | None):
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=platform.url) as anonymous:
        answer = await anonymous.request(method, path, headers=headers, content=b"not json")
    assert sentence(answer, 401) == "Authentication credentials were not provided."
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_with_a_wrong_token(platform: Platform, method: str, path: str):
    async with httpx.AsyncClient(base_url=platform.url, headers={"Authorization": "Bearer wrong"}) as wrong:
        answer = await wrong.request(method, path)
    assert sentence(answer, 401) == "Invalid token."


@pytest.mark.parametrize("scheme", ["Api-Key", "bearer", "api-key"])
async def test_schemes(platform: Platform, scheme: str):
    async with httpx.AsyncClient(
        base_url=platform.url, headers={"Authorization": f"{scheme} {platform.token}"}
    ) as http:
        assert (await http.get("/api/functions/")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/nothing",
        "/api/functions/x/y/z/",
        "/api/functions/code/x/execute",
        "/%00",
        "/api/functions/x/nothing/",
    ],
)
async def test_unknown_paths(client: httpx.AsyncClient, path: str):
    assert sentence(await client.get(path), 404) == "Not found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/functions/x/", {"GET", "PATCH", "DELETE"}),
        ("DELETE", "/api/apps/a/functions/", {"GET", "POST"}),
        ("GET", "/api/functions/x/execute/", {"POST"}),
        ("GET", "/api/functions/code/1/activate/", {"POST"}),
        ("POST", "/api/functions/invocations/1/", {"GET", "DELETE"}),
    ],
)
async def test_wrong_methods(client: httpx.AsyncClient, method: str, path: str, allowed: set[str]):
    answer = await client.request(method, path)
    assert sentence(answer, 405) == "Method not allowed"
    assert set(answer.headers["allow"].split(", ")) - {"OPTIONS", "HEAD"} == allowed


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/functions/", "GET, HEAD, OPTIONS, POST"),
        ("/api/apps/a/functions/x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/functions/x/code/", "GET, HEAD, OPTIONS, PATCH, POST"),
        ("/api/apps/a/functions/code", "GET, HEAD, OPTIONS"),
        ("/api/functions/x/execute/", "OPTIONS, POST"),
        ("/api/functions/x/history/", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_need_no_token(platform: Platform, path: str, allowed: str):
    async with httpx.AsyncClient(base_url=platform.url) as anonymous:
        answer = await anonymous.options(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


async def test_head_is_get_without_a_body(client: httpx.AsyncClient):
    for path in ("/api/functions/", "/api/functions/invocations", "/api/functions/never-seen/", "/api/nothing"):
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert (await client.head("/api/functions/x/execute/")).status_code == 405


async def test_numbers_in_paths_are_digits(client: httpx.AsyncClient):
    for number in ("%D9%A1", "+1", "-1", "1_0", "1.0", "%201", "1" * 20, "1" * 5000, "\u00b2"):
        for path in (f"invocations/{number}/", f"invocations/{number}/result/"):
            assert sentence(await client.get(f"/api/functions/{path}"), 404) == "Not found"
        assert sentence(await client.post(f"/api/functions/code/{number}/activate/"), 404) == "Not found"


async def test_what_is_not_found_is_not_repeated_at_length(client: httpx.AsyncClient):
    long = "y" * 20_000
    for path in (f"{long}/", f"{long}/history/", f"{long}/executions/", f"result/{long}/"):
        assert len((await client.get(f"/api/functions/{path}")).content) < 1000
    assert len((await client.post(f"/api/functions/{long}/execute/", json={})).content) < 1000


async def test_malformed_json_says_where(client: httpx.AsyncClient):
    answer = await client.post("/api/apps/a/functions/", content=b'{"name": oops}')
    assert sentence(answer, 400).startswith("JSON is malformed: invalid character (byte 9)")
    for body in (b"\xff", b'{"name": "\xff"}', b"[" * 100_000, b'{"name": "\\ud800"}', b"[]", b"", b"null", b'"x"'):
        sentence(await client.post("/api/apps/a/functions/", content=body), 400)


@pytest.mark.parametrize("path", ["/api/apps/a/functions/", "/api/functions/calculate-tax/execute/"])
async def test_a_body_over_the_limit_with_a_length(platform: Platform, path: str):
    status, body = await raw(platform, path, b"Content-Length: 5000000\r\n\r\n" + b" " * 4_200_000)
    assert status == 413
    assert "4194304" in body["error"] or "too large" in body["error"]


@pytest.mark.parametrize("path", ["/api/apps/a/functions/", "/api/functions/calculate-tax/execute/"])
async def test_a_body_over_the_limit_in_chunks(platform: Platform, path: str):
    chunk = b"%x\r\n" % (1 << 16) + b" " * (1 << 16) + b"\r\n"
    status, _ = await raw(platform, path, b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 70)
    assert status == 413


async def test_chunks_are_put_together(client: httpx.AsyncClient):
    async def body() -> AsyncIterator[bytes]:
        for byte in b'{"name": "In Chunks", "slug": "code"}':
            yield bytes([byte])

    assert sentence(await client.post("/api/functions/", content=body()), 400).startswith("slug 'code' is reserved")
    answer = await client.post("/api/functions/in-chunks-never-made/execute/", content=body())
    assert answer.status_code == 404


async def test_half_a_body_runs_nothing(platform: Platform, client: httpx.AsyncClient):
    """A connection that closes before the body is there is no call without params."""
    before = (await client.get("/api/functions/invocations/")).json()["count"]
    for part in (b"", b'{"params"'):
        _, writer = await asyncio.open_connection("127.0.0.1", int(platform.url.rpartition(":")[2]))
        writer.write(head(platform, "/api/functions/calculate-tax/execute/") + b"Content-Length: 100\r\n\r\n" + part)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await client.get("/api/functions/invocations/")).json()["count"] == before


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "page_size=0",
        "limit=-1",
        "offset=x",
        "ordering=secret",
        "is_active=5",
        "search=%00",
        f"search={'x' * 101}",
        "execution_mode=z",
    ],
)
async def test_wrong_queries_name_the_field(client: httpx.AsyncClient, query: str):
    assert query.partition("=")[0] in sentence(await client.get(f"/api/apps/a/functions/?{query}"), 400)


async def test_never_a_redirect(client: httpx.AsyncClient):
    for path in ("/api/functions", "/api/apps/a/functions", "/api/functions/invocations", "/api/functions/code"):
        for end in ("", "/"):
            assert (await client.get(path + end)).status_code == 200


def head(platform: Platform, path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {platform.token}\r\n".encode()


async def raw(platform: Platform, path: str, rest: bytes) -> tuple[int, dict]:
    """Send bytes as they are and read one answer, however much of the request it waited for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(platform.url.rpartition(":")[2]))
    async with asyncio.timeout(20):
        writer.write(head(platform, path) + rest)
        status = int((await reader.readline()).split()[1])
        headers = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in headers.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = json.loads(await reader.readexactly(length))
    writer.close()
    return status, body
