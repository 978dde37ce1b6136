"""What a handler asks of the platform, in both languages, over HTTP and through every service."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from shared.store.apps import Apps
from shared.store.client import Store
from tests.platform import Platform, running

PYTHON = {
    "parent": """
def handler(request, ctx):
    inner = ctx.invoke('child', {'said': request.json()})
    return {'env': ctx.env['A'], 'app': ctx.env['SHOAL_APP_ID'], 'inner': inner.json()}
""",
    "child": """
def handler(request, ctx):
    return {'said': request.json()['said'], 'user': ctx.user, 'first': ctx.idempotency.claim('once')}
""",
    "ring": """
def handler(request, ctx):
    return ctx.invoke('ring', {}).json()
""",
}
JAVASCRIPT = {
    "parent": """
export default async function handler(request, ctx) {
  const inner = await ctx.invoke('child', {said: await request.json()});
  return Response.json({env: ctx.env.A, app: ctx.env.SHOAL_APP_ID, inner: await inner.json()});
}
""",
    "child": """
export default async function handler(request, ctx) {
  return Response.json({said: (await request.json()).said, user: ctx.user, first: await ctx.idempotency.claim('once')});
}
""",
    "ring": """
export default async function handler(request, ctx) {
  return await ctx.invoke('ring', {});
}
""",
}
CODE = {"python": PYTHON, "javascript": JAVASCRIPT}


class Calls(NamedTuple):
    """An app's functions."""

    http: httpx.AsyncClient
    app: str

    async def call(self, name: str, said: Any = None) -> httpx.Response:
        return await self.http.post(f"/v1/{self.app}/fn/{name}", json=said)


@pytest.fixture(scope="module")
async def shoal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """One slot for all: who waits must give it away."""
    folder: Path = tmp_path_factory.mktemp("handlers") / "data"
    async with running(folder, SHOAL_EXECUTOR_SLOTS="1") as platform:
        yield platform


@pytest.fixture(params=["python", "javascript"])
async def calls(request: pytest.FixtureRequest, shoal: Platform) -> AsyncIterator[Calls]:
    store = Store(shoal.ready["mongodb"], database="shoal")
    apps = Apps(store, "default")
    app = await apps.find(request.param) or await apps.add(request.param, name=request.param)
    store.close()
    headers = {"Authorization": f"Bearer {shoal.token}"}
    async with httpx.AsyncClient(base_url=shoal.url, headers=headers, timeout=60) as http:
        for name, code in CODE[request.param].items():
            trigger = {"type": "websocket", "config": {}} if name == "child" else {"type": "http"}
            body = {
                "name": name, "code": code, "runtime": request.param, "envVars": {"A": "1 ✓"}, "triggers": [trigger],
            }  # fmt: skip
            deployed = await http.post(f"/v1/{app.public_id}/functions", json=body)
            assert deployed.status_code == 200, deployed.text
        yield Calls(http, app.public_id)


async def test_a_handler_and_what_it_calls(calls: Calls):
    firsts = []
    for said in ("one", "two"):
        answer = await calls.call("parent", said)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["env"], body["app"], body["inner"]["said"]) == ("1 ✓", calls.app, said)
        firsts.append(body["inner"]["first"])
    assert firsts == [True, False]


async def test_a_ring_ends(calls: Calls):
    answer = await calls.call("ring")
    assert answer.status_code == 500
    assert "ctx.invoke loop limit exceeded" in answer.text


async def test_variables_that_cannot_be_opened(calls: Calls, shoal: Platform):
    store = Store(shoal.ready["mongodb"], database="shoal")
    table = store.table("functions", "default")
    for one in await table.many({"deployed_as": "parent"}, limit=10):
        broken = {"env": {"A": one["env"]["A"][:-4] + "AAA="}}
        await table.update({"id": one["id"]}, {"$set": broken, "$inc": {"revision": 1, "env_revision": 1}})
    store.close()
    renewed = await calls.http.patch(f"/v1/{calls.app}/functions/parent/env", json={"envVars": {"B": "2"}})
    assert renewed.status_code == 200
    answer = await calls.call("parent", "x")
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("The environment variable 'A' cannot be opened")
