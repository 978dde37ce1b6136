"""Rate limits of calls over HTTP: who is counted for what."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.bus import broker
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.edge import SECRET, signed
from tests.api.apps.scripted import answer, http, scripted_at
from tests.platform import Platform, running

EACH, TENANT = 3, 20


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("limited") / "data"
    settings = {"SHOAL_API_RATE_EXECUTION": str(EACH), "SHOAL_API_RATE_TENANT_EXECUTION": str(TENANT)}
    async with running(folder, SHOAL_API_RATE_LIMITS="true", **settings) as platform:
        yield platform


async def test_everybody_has_a_count_of_their_own(limited: Platform):
    """However the minute falls, more than twice as many are too many within one."""
    store = Store(limited.ready["mongodb"], database="shoal")
    async with (
        broker.connect(limited.ready["nats"], name="test", timeout_s=5) as bus,
        scripted_at(limited, bus, store) as scripted,
        httpx.AsyncClient(base_url=limited.url, timeout=30) as anyone,
    ):
        owner = {"Authorization": f"Bearer {limited.token}"}
        assert (await anyone.post("/api/apps/", json={"name": "A", "slug": "a"}, headers=owner)).status_code == 201
        change = {"end_users": {"jwt_secret": SECRET}}
        assert (await anyone.patch("/v1/a/config", json=change, headers=owner)).status_code == 200
        app = await Apps(store, "default").named("a")
        path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=(http(auth='optional'),))}"

        async def until_refused(headers: dict[str, str]) -> httpx.Response:
            for _ in range(2 * EACH + 1):
                answered = await anyone.get(path, headers=headers)
                assert answered.headers["x-ratelimit-limit"] == str(EACH)
                if answered.status_code != 200:
                    return answered
            raise AssertionError("more than twice as many were let in as may be in a minute")

        for headers in (
            {"Authorization": f"Bearer {signed(sub='one')}"},
            {"Authorization": f"Bearer {signed(sub='two')}"},
            {},
            {"X-Forwarded-For": "203.0.113.7"},
            owner,
        ):
            refused = await until_refused(headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "QUOTA_RATE_LIMIT")
            assert 0 < int(refused.headers["retry-after"]) <= 60
    store.close()
