"""Somebody who starts invocations and cancels them, and looks at what became of them."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple

import httpx
import msgspec

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.messages import Finished
from tests.platform import Platform

SPINS = "def main(params, user_data):\n    while params.get('endless'):\n        pass\n    return 'short'"
CALLS = "def handler(request, ctx):\n    return ctx.invoke({name!r}).text()"
LOOPS = "def handler(request, ctx):\n    while True:\n        pass"
SPINS_IN_DENO = "export default async function handler(req) { for (;;) {} }"
WAITS_IN_DENO = "export default async function handler(req) { await new Promise((r) => setTimeout(r, 60000)); }"
WITHIN_S = 30.0
MOMENT_S = 5.0  # far below what would pass if nobody had heard of the cancelling


class Started(NamedTuple):
    """An invocation that was accepted."""

    id: int
    task_id: str


class Asking:
    """One client's view."""

    def __init__(self, http: httpx.AsyncClient, bus: Bus, shoal: Platform) -> None:
        self.http = http
        self.bus = bus
        self.shoal = shoal

    async def make(self, name: str, code: str = "", **fields: Any) -> str:
        """A function; its slug."""
        made = await self.http.post("/api/apps/cancelling/functions/", json={"name": name, **fields})
        assert made.status_code == 201, made.text
        slug = str(made.json()["slug"])
        if code:
            body = {"version": "1", "code": code, "is_active": True}
            uploaded = await self.http.post(f"/api/functions/{slug}/code/", json=body)
            assert uploaded.status_code == 201, uploaded.text
        return slug

    async def start(self, slug: str, **params: Any) -> Started:
        """Begin a call that nobody waits for."""
        answer = await self.http.post(f"/api/functions/{slug}/execute/", json={"params": params, "async": True})
        assert answer.status_code == 202, answer.text
        return Started(answer.json()["invocation"]["id"], answer.json()["task_id"])

    def call(self, slug: str, **params: Any) -> "asyncio.Task[httpx.Response]":
        """A call that is waited for."""
        return asyncio.create_task(self.http.post(f"/api/functions/{slug}/execute/", json={"params": params}))

    async def cancel(self, id: int, *, expected: int = 202) -> dict[str, Any]:
        """Cancel it by its number."""
        answer = await self.http.post(f"/api/invocations/{id}/cancel/")
        assert answer.status_code == expected, answer.text
        return dict(answer.json())

    async def seen(self, task_id: str, *statuses: str) -> dict[str, Any]:
        """The task's result as soon as it has one of the statuses."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                answer = await self.http.get(f"/api/functions/result/{task_id}/")
                if answer.status_code == 200 and answer.json()["status"] in statuses:
                    return dict(answer.json())
                await asyncio.sleep(0.02)

    async def newest(self, slug: str, *statuses: str) -> Started:
        """A function's newest invocation, as soon as it has one of the statuses."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                rows = (await self.http.get(f"/api/functions/{slug}/executions/")).json()["results"]
                if rows and rows[0]["task_status"] in statuses:
                    return Started(rows[0]["id"], rows[0]["celery_task_id"])
                await asyncio.sleep(0.02)

    async def ends(self, *slugs: str) -> dict[str, Finished]:
        """All ends that are on the bus, by task: none has two."""
        found: dict[str, Finished] = {}
        for slug in slugs:
            subject = subjects.event("*", slug, "finished")
            consumer = await self.bus.stream.pull_subscribe(subject, stream=streams.EVENTS)
            try:
                while True:
                    for message in await consumer.fetch(500, timeout=0.5):
                        end = msgspec.json.decode(message.data, type=Finished)
                        assert end.task_id not in found
                        found[end.task_id] = end
            except TimeoutError:
                await consumer.unsubscribe()
        return found

    async def counted(self, service: str, metric: str) -> Counter[str]:
        """A service's counter, by the values of its labels."""
        async with httpx.AsyncClient() as http:
            page = (await http.get(self.shoal.ready["services"][service]["metrics"])).text
        found: Counter[str] = Counter()
        for line in page.splitlines():
            if line.startswith(f"{metric}_total"):
                found[",".join(line.partition("{")[2].partition("}")[0].split('"')[1::2])] += int(
                    float(line.split()[-1])
                )
        return found
