"""Code from a URL, over HTTP; and the limits of requests, which are counted as everywhere."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.webui.asking import FORMS, PIPE, Asking, detail
from tests.hooks import Hook, always, certificate, response, serving
from tests.platform import Platform, running

NOT_FETCHED = "Failed to fetch the function"
OTHER = 40  # requests a minute of one token
MANY = 2 * OTHER + 1  # of these, one is too many in whatever minute they fall


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory, tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Platform]:
    """Shoal, open to a server on this machine, and with few requests a minute."""
    settings = {
        "SHOAL_API_RATE_LIMITS": "true",
        "SHOAL_API_RATE_OTHER": str(OTHER),
        "SHOAL_EGRESS_ALLOW": "127.0.0.1/32",
        "SHOAL_EGRESS_CA_FILE": str(tls[1]),
    }
    async with running(tmp_path_factory.mktemp("narrow") / "data", **settings) as platform:
        yield platform


@pytest.fixture
async def host(tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Hook]:
    async with serving(tls=tls[0]) as host:
        yield host


@pytest.fixture(scope="module")
async def operator(narrow: Platform) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {narrow.token}"}
    async with httpx.AsyncClient(base_url=narrow.url, headers=headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize(("prefix", "slash"), FORMS)
async def test_code_is_loaded_and_not_kept(operator: httpx.AsyncClient, host: Hook, prefix: str, slash: str):
    api = Asking(operator, (prefix, slash))
    host.answer = always(response(200, PIPE.encode(), kind="text/plain"))
    loaded = await api.post("/load/url", {"url": f"{host.url}/some/reverse.py"})
    assert loaded == {"name": "reverse", "content": PIPE}
    assert await api.get("/list") == []
    host.answer = always(response(404, b"no such thing"))
    assert detail(await api.ask("POST", "/load/url", json={"url": f"{host.url}/x.py"}), 404) == NOT_FETCHED


async def test_what_comes_instead(operator: httpx.AsyncClient, host: Hook):
    api = Asking(operator)
    for status in (401, 410, 500):
        host.answer = always(response(status, b"inside"))
        assert detail(await api.ask("POST", "/load/url", json={"url": f"{host.url}/x.py"}), status) == NOT_FETCHED
    host.answer = always(response(200, b""))
    said = detail(await api.ask("POST", "/load/url", json={"url": f"{host.url}/x.py"}), 400)
    assert said == "No data received from the URL"


@pytest.mark.parametrize("url", ["", "x.py", "ftp://example.org/x.py", "//example.org/x.py", "javascript:1"])
async def test_what_is_no_url(admin: Asking, url: str):
    [fault] = detail(await admin.ask("POST", "/load/url", json={"url": url}), 422)
    assert (fault["type"], fault["loc"]) == ("url_parsing", ["body", "url"])


@pytest.mark.parametrize(
    "url", ["http://example.org/x.py", "https://user:pw@example.org/x.py", "https://", "https://example.org:99999/x.py"]
)
async def test_urls_that_are_not_asked(admin: Asking, url: str):
    assert detail(await admin.ask("POST", "/load/url", json={"url": url}), 400)


async def test_one_request_too_many_in_a_minute(operator: httpx.AsyncClient):
    for number in range(MANY):
        prefix, slash = FORMS[number % len(FORMS)]
        answer = await Asking(operator, (prefix, slash)).ask("GET", "/list")
        if answer.status_code != 200:
            break
    assert detail(answer, 429).startswith("Rate limit exceeded")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-ratelimit-remaining"] == "0"
