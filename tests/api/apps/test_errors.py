"""Whatever goes wrong under /v1 is said in the words of this dialect."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.api.apps.shop import Shop, refused
from tests.api.conftest import sentence
from tests.platform import Platform, running


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/app", "/v1/a/b/c/d/e", "//v1/x", "/v1/shop/functions/a/b"])
async def test_paths_that_nobody_knows(client: httpx.AsyncClient, path: str):
    answer = await client.get(httpx.URL(str(client.base_url).rstrip("/") + path))
    assert refused(answer, 404, "RESOURCE_NOT_FOUND") == "Not found"


async def test_the_other_dialect_keeps_its_words(client: httpx.AsyncClient):
    for path in ("/api/v1/nothing", "/v11/app", "/"):
        assert sentence(await client.get(path), 404) == "Not found"


async def test_methods_that_a_path_does_not_know(shop: Shop):
    answer = await shop.ask("PUT", "functions")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
    told = await shop.ask("OPTIONS", "functions")
    assert (told.status_code, told.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_without_a_token_and_with_a_wrong_one(platform: Platform):
    async with httpx.AsyncClient(base_url=platform.url) as nobody:
        answer = await nobody.get("/v1/shop/functions")
        refused(answer, 401, "AUTH_REQUIRED")
        assert answer.headers["www-authenticate"] == "Bearer"
        wrong = await nobody.get("/v1/shop/functions", headers={"Authorization": "Bearer nothing"})
        refused(wrong, 401, "AUTH_INVALID_TOKEN")


async def test_what_a_query_must_not_be(shop: Shop):
    await shop.deploy("one")
    for query in ("limit=0", "limit=many", "offset=-1"):
        answer = await shop.ask("GET", f"functions?{query}")
        assert refused(answer, 400, "VALIDATION_INVALID_SCHEMA").startswith(query.partition("=")[0])
    assert (await shop.ask("GET", "functions", headers={"Content-Type": "application/json"})).status_code == 200


async def test_a_body_beyond_the_bound(platform: Platform):
    host, port = platform.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/shop/functions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {platform.token}\r\n"
    writer.write(f"{head}Content-Length: 99999999\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), timeout=20)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"PAYLOAD_TOO_LARGE"' in answer
    writer.close()


async def test_too_many_requests(tmp_path: Path):
    settings = {"SHOAL_API_RATE_LIMITS": "true", "SHOAL_API_RATE_OTHER": "5"}
    async with running(tmp_path / "limited", **settings) as limited, limited.client() as client:
        answers = [await client.get("/v1/shop/functions") for _ in range(12)]  # at most one minute ends among them
        answer = next(answer for answer in answers if answer.status_code == 429)
        assert "Rate limit exceeded" in refused(answer, 429, "QUOTA_RATE_LIMIT")
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert answer.headers["x-ratelimit-limit"] == "5"
        async with httpx.AsyncClient(base_url=limited.url) as nobody:
            strangers = [await nobody.get("/v1/shop/functions") for _ in range(12)]
        refused(next(one for one in strangers if one.status_code == 429), 429, "QUOTA_RATE_LIMIT")
