"""A platform that has traces, the collector that gets them, and functions to call."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import httpx
import pytest

from tests.conftest import TAX
from tests.hooks import Hook, serving
from tests.platform import Platform, running
from tests.traces.collector import Collector, collecting

Make = Callable[..., Awaitable[str]]
_numbers = count(1)


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def platform(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.hook.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }
    async with running(tmp_path_factory.mktemp("traced") / "data", **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client() as client:
        yield client


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving() as hook:
        yield hook


@pytest.fixture(scope="module")
def make(client: httpx.AsyncClient) -> Make:
    """A function; its slug. Without code it is one of another mode."""

    async def made(code: str | None = TAX, **fields: object) -> str:
        body = {"name": f"Traced {next(_numbers)}", "execution_mode": "app", **fields}
        answer = await client.post("/api/apps/traced/functions/", json=body)
        assert answer.status_code == 201, answer.text
        slug = str(answer.json()["slug"])
        if code is not None:
            uploaded = {"version": "1", "code": code, "is_active": True}
            assert (await client.post(f"/api/functions/{slug}/code/", json=uploaded)).status_code == 201
        return slug

    return made
