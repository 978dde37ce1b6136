"""A platform that may call this machine, somebody who is called, and functions that want it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import httpx
import pytest

from tests.callbacks.receiver import Receiver, receiving
from tests.conftest import TAX
from tests.platform import Platform, running

SETTINGS = {
    "SHOAL_EGRESS_PRIVATE": "false",
    "SHOAL_EGRESS_ALLOW": "127.0.0.1/32",
    "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.05",
    "SHOAL_EXECUTOR_CALLBACK_TIMEOUT_S": "4",
    "SHOAL_EXECUTOR_CALLBACK_RETRIES": "6",
    "SHOAL_EXECUTOR_CALLBACK_BYTES": "1000",
}
Make = Callable[..., Awaitable[str]]
_numbers = count(1)


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running(tmp_path_factory.mktemp("callbacks") / "data", **SETTINGS) as platform:
        yield platform


@pytest.fixture(scope="session")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client() as client:
        yield client


@pytest.fixture(scope="session")
def make(client: httpx.AsyncClient) -> Make:
    """A function of this code and config; its slug."""

    async def made(code: str = TAX, *, via: httpx.AsyncClient | None = None, **config: object) -> str:
        http = via or client
        body = {"name": f"Called Back {next(_numbers)}", "execution_mode": "app", "config": config}
        answer = await http.post("/api/apps/callbacks/functions/", json=body)
        assert answer.status_code == 201, answer.text
        slug = str(answer.json()["slug"])
        uploaded = {"version": "1", "code": code, "is_active": True}
        assert (await http.post(f"/api/functions/{slug}/code/", json=uploaded)).status_code == 201
        return slug

    return made
