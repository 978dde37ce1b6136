"""Shoal in one process, whose services a test starts and stops by name."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from services.executor.mode import Call
from services.recorder import handlers as recorder
from services.recorder.config import Recorder
from services.router import handlers as router
from services.router.config import Router
from shared.audit.audit import audit
from shared.audit.report import Report
from shared.bus.streams import streams
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.store import checkpoints, indexes, invocations
from shared.store.apps import Apps
from shared.store.client import Store
from shared.submit import Origin, new_task_id, submit
from tests.executor_host.platform import BOUNDS, TENANT, Shoal
from tests.executor_host.platform import USER as ANN

DONE = Outcome(status="SUCCESS", result=msgspec.Raw(b'"done"'))
WITHIN_S = 30.0
RETRIES = {"max_retries": 3, "retry_first_s": 86_400, "retry_most_s": 86_400}
_SERVES: dict[str, Callable[[], Any]] = {"recorder": lambda: Recorder(hold_s=0.05), "router": Router}


class Audited(Shoal):
    """The services are stopped and started by their names; the executor is one of them."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.store.close()
        self.database = f"audit-{os.urandom(4).hex()}"
        self.store = Store(self.platform.mongodb_url, database=self.database)
        self._running: dict[str, AsyncExitStack] = {}
        self.gate = asyncio.Event()  # what `held` waits for

    async def open(self, stack: AsyncExitStack) -> None:
        stack.callback(self.store.close)
        await indexes.ensure(self.store)
        self.bus = await self.connected(stack)
        for stream in streams(BOUNDS, first_invocation=1):
            if await self.bus.has_stream(stream.name):
                await self.bus.stream.delete_stream(stream.name)
            await self.bus.ensure_stream(stream)
        self.app = await Apps(self.store, TENANT).add("shop", name="Shop")
        stack.push_async_callback(self.stop, "executor", "router", "recorder")
        await self.start("recorder", "router", "executor")

    async def start(self, *names: str) -> None:
        for name in names:
            own = self._running[name] = AsyncExitStack()
            if name == "executor":
                await own.enter_async_context(self.executor())
            else:
                serve = recorder.serve if name == "recorder" else router.serve
                await own.enter_async_context(serve(await self.service(name, _SERVES[name](), own)))

    async def stop(self, *names: str) -> None:
        for name in names:
            if name in self._running:
                await self._running.pop(name).aclose()

    async def submit(self, function: Function, **origin: Any) -> str:
        task_id = new_task_id()
        told = Origin(trigger_type="api", user=ANN, **origin)
        await submit(self.bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=told)
        return task_id

    async def many(self, function: Function, count: int) -> list[str]:
        found: list[str] = []
        for some in _parts(count):
            found += await asyncio.gather(*(self.submit(function) for _ in some))
        return found

    async def until(self, task_id: str, *statuses: str) -> None:
        """The record says so."""
        async with asyncio.timeout(WITHIN_S):
            while (await invocations.statuses(self.store, [task_id])).get(task_id) not in statuses:
                await asyncio.sleep(0.02)

    async def quiet(self) -> None:
        """The recorder has written down that it is past all there is."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                marks = await checkpoints.marks(self.store, checkpoints.RECORDER)
                last = {name: await self.bus.last_sequence(name) for name in ("INVOKE", "EVENTS")}
                if {name: mark.sequence for name, mark in marks.items()} == last:
                    return
                await asyncio.sleep(0.05)

    async def audit(self, **options: Any) -> Report:
        return await audit(self.bus, self.store, **{"settle_s": 0.3, **options})

    # What functions do.

    async def done(self, _call: Call) -> Outcome:
        return DONE

    async def fails(self, _call: Call) -> Outcome:
        return failure("ValueError", "no")

    async def held(self, _call: Call) -> Outcome:
        await self.gate.wait()
        return DONE


def _parts(count: int) -> list[range]:
    return [range(first, min(first + 500, count)) for first in range(0, count, 500)]
