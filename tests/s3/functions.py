"""Functions that uploads set off, deployed into an app of their own, and what became of their runs."""

import asyncio
from itertools import count
from typing import Any

import httpx
import msgspec

from shared.domain.function import Function
from shared.domain.invocation import FINAL, Invocation
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import Filter, Invocations
from tests.s3.door import TENANT

PYTHON_MAIN = "def main(params):\n return params"
PYTHON_HANDLER = (
    "def handler(request, ctx):\n"
    " return {'told': request.json(), 'method': request.method, 'type': request.headers['x-trigger-type']}"
)
JAVASCRIPT = (
    "export default async function handler(req) { return Response.json({told: await req.json(), method: req.method, "
    "type: req.headers.get('x-trigger-type')}) }"
)
MODULE = "export default async (req, ctx) => ({ told: await req.json(), caller: ctx.caller.type, user: ctx.user })"
_WITHIN_S = 60.0
_numbers = count(1)


class Uploaded:
    """A function with an s3_upload trigger, and its runs."""

    def __init__(self, store: Store, function: Function) -> None:
        self._invocations = Invocations(store, TENANT)
        self.function = function

    async def runs(self, at_least: int, *, within_s: float = _WITHIN_S) -> list[Invocation]:
        """Its runs, the first one first, once there are so many and all have ended."""
        async with asyncio.timeout(within_s):
            while True:
                found = await self.known()
                if len(found) >= at_least and all(run.status in FINAL for run in found):
                    return found
                await asyncio.sleep(0.05)

    async def known(self) -> list[Invocation]:
        """Its runs as far as they are on record."""
        wanted = Filter(function_id=self.function.id)
        rows = await self._invocations.listed(wanted, limit=1000, skip=0)
        found = [await self._invocations.by_task(row.task_id) for row in reversed(rows)]
        return [run for run in found if run is not None]

    async def results(self, at_least: int) -> list[Any]:
        """What they returned."""
        runs = await self.runs(at_least)
        assert [run.status for run in runs] == ["SUCCESS"] * len(runs), [run.error for run in runs]
        return [msgspec.json.decode(run.result) for run in runs]


class Uploads:
    """Deploys functions."""

    def __init__(self, client: httpx.AsyncClient, store: Store) -> None:
        self._client = client
        self._store = store

    async def deploy(
        self, code: str, runtime: str = "javascript", *, trigger: dict[str, Any], enabled: bool = True, **more: Any
    ) -> Uploaded:
        """A new function with this config of its trigger."""
        name = f"upload-{next(_numbers)}"
        triggers = [{"type": "s3_upload", "config": trigger, "enabled": enabled}]
        body = {"name": name, "runtime": runtime, "code": code, "triggers": triggers, **more}
        answer = await self._client.post("/v1/uploads/functions", json=body)
        assert answer.status_code == 200, answer.text
        slug = (await self._client.get(f"/v1/uploads/functions/{name}")).json()["slug"]
        function = await Functions(self._store, TENANT).by_slug(slug)
        assert function is not None
        return Uploaded(self._store, function)
