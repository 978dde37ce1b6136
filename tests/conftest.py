"""Fixtures: one whole platform for the session, a client with the admin's token, and functions made in a line."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.platform import Platform, running

TAX = (
    "def main(params, user_data):\n amount = params.get('amount', 0)\n rate = params.get('rate', 0.1)\n"
    " tax = amount * rate\n return {'amount': amount, 'tax': tax, 'total': amount + tax}"
)
DOMAIN = "shoal.test"
_numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
def _databases_go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What stopped databases leave, 300 MB of journals each, is removed when a module ends: a whole run made 23 GB."""
    yield
    for lock in list(tmp_path_factory.getbasetemp().rglob("mongod.lock")):
        pid = lock.read_text().strip()
        if not (pid and Path("/proc", pid).exists()):
            shutil.rmtree(lock.parent)


@pytest.fixture(scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Shoal, running, for tests that leave it as it was."""
    folder: Path = tmp_path_factory.mktemp("shoal") / "data"
    async with running(folder, SHOAL_API_DOMAIN=DOMAIN) as platform:
        yield platform


@pytest.fixture(scope="session")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP with the admin's token."""
    async with platform.client() as client:
        yield client


Deploy = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def deploy(client: httpx.AsyncClient) -> Deploy:
    """Create an APP function with code; its slug."""

    async def create(code: str = TAX, *, via: httpx.AsyncClient | None = None, **fields: object) -> str:
        http = via or client
        name = f"Test Function {next(_numbers)}"
        made = await http.post("/api/apps/tests/functions/", json={"name": name, "execution_mode": "app", **fields})
        assert made.status_code == 201, made.text
        slug = str(made.json()["slug"])
        body = {"version": "1.0.0", "code": code, "is_active": True}
        uploaded = await http.post(f"/api/functions/{slug}/code/", json=body)
        assert uploaded.status_code == 201, uploaded.text
        return slug

    return create
