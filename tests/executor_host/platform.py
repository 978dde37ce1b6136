"""Router, recorder and executor in one process, on real servers; the mode runs what a test says."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import msgspec

from services.executor import handlers as executor
from services.executor import modes
from services.executor.config import Executor
from services.executor.mode import Artefact, Call, Opening, Refusal
from services.recorder import handlers as recorder
from services.recorder.config import Recorder
from services.router import handlers as router
from services.router.config import Router
from shared import embedded
from shared.boot import Service
from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.notices import FunctionChanged
from shared.bus.streams import Bounds, streams
from shared.config import Platform
from shared.domain.app import App
from shared.domain.caller import User
from shared.domain.function import ActiveVersion, Function
from shared.domain.invocation import Invocation
from shared.domain.outcome import Outcome
from shared.domain.request import Actor, Request, Response
from shared.secrets import Keyring
from shared.store import indexes
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import Filter, Invocations
from shared.store.versions import Versions
from shared.submit import Origin, new_task_id, submit
from shared.waiting import Wait, Waiting

TENANT = "acme"
KEYRING = Keyring([b"k" * 32])
BOUNDS = Bounds(
    replicas=1,
    invoke_age_s=3600,
    invoke_bytes=1 << 28,
    event_age_s=3600,
    event_bytes=1 << 28,
    dedupe_s=60,
    delivery_age_s=3600,
    deliveries=100_000,
    idempotency_s=3600,
    idempotency_keys=100_000,
    dead_age_s=3600,
    dead_per_function=100,
)
USER = User(7, "ann", "ann@acme.test")

Handler = Callable[[Call], Awaitable[Outcome]]


class Mode:
    """Runs what the test has put under a function's slug. Every call that runs has a place, as a process has."""

    name = "python"
    runs_code = True
    examines = True
    compiler = "test"
    share = 1.0
    judges = False

    def __init__(self, opening: Opening, handlers: dict[str, Handler]) -> None:
        self.slots = opening.executor.slots
        self._handlers = handlers
        self._places = asyncio.Semaphore(opening.executor.most_processes_per_tenant)
        self.calls: list[Call] = []
        self.looks: list[Call] = []
        self.found: Callable[[Call], Awaitable[Outcome]] | None = None

    async def prepare(self, source: str) -> Artefact | Refusal:
        return Artefact(self.compiler, source.encode())

    async def run(self, call: Call) -> Outcome:
        if call.examination is not None:
            self.looks.append(call)
            assert self.found is not None
            return await self.found(call)
        self.calls.append(call)
        assert call.function is not None
        async with self._places:
            try:
                async with asyncio.timeout(call.limits.timeout_s):
                    return await self._handlers[call.function.slug](call)
            except TimeoutError:
                return Outcome(status="FAILURE", error_type="TimeoutError", error="too long")

    def facts(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        return


class Shoal:
    """The running services. `handlers` are what functions do, by slug."""

    def __init__(self, servers: embedded.Servers, **settings: Any) -> None:
        # Opens the mode of its executors in place of the one that does what the test says.
        self.open_mode: Callable[[Opening], Awaitable[Any]] | None = settings.pop("open_mode", None)
        own = {name: settings.pop(name) for name in Executor.__struct_fields__ if name in settings}
        self.settings = Executor(**{"slots": 2, "slot_wait_s": 0.5, **own})
        urls = {"nats_url": servers.nats_url, "mongodb_url": servers.mongodb_url}
        self.platform = Platform(**{"drain_s": 2.0, **urls, **settings})
        self.handlers: dict[str, Handler] = {}
        self.modes: list[Mode] = []
        self.store = Store(servers.mongodb_url, database=f"test-{os.urandom(4).hex()}")
        self.bus: Bus
        self.waiting: Waiting

    async def open(self, stack: AsyncExitStack) -> None:
        stack.callback(self.store.close)
        await indexes.ensure(self.store)
        self.bus = await self.connected(stack)
        for stream in streams(BOUNDS, first_invocation=1):
            await self.bus.ensure_stream(stream)
            await self.bus.stream.purge_stream(stream.name)
        self.waiting = Waiting(self.bus, self.store, instance="test", most=10_000)
        await self.waiting.open()
        self.app: App = await Apps(self.store, TENANT).add("shop", name="Shop")
        for name, settings, serve in (("recorder", Recorder(), recorder.serve), ("router", Router(), router.serve)):
            await stack.enter_async_context(serve(await self.service(name, settings, stack)))
        self.first = await stack.enter_async_context(AsyncExitStack())
        await self.first.enter_async_context(self.executor())

    @asynccontextmanager
    async def executor(self) -> AsyncIterator[Service]:
        async def opened(opening: Opening) -> Mode:
            self.modes.append(Mode(opening, self.handlers))
            return self.modes[-1]

        async with AsyncExitStack() as stack:
            service = await self.service(f"executor-{len(self.modes)}", self.settings, stack)
            with patch.dict(modes.OPEN, {"python": self.open_mode or opened}, clear=True):
                await stack.enter_async_context(executor.serve(service))
            yield service

    async def service(self, name: str, settings: Any, stack: AsyncExitStack) -> Service:
        def watched(task: asyncio.Task[Any]) -> None:
            task.add_done_callback(lambda done: done.cancelled() or done.result())

        return Service(
            name=name,
            instance=name,
            seat=name,
            platform=self.platform,
            settings=settings,
            bus=await self.connected(stack),
            store=self.store,
            keyring=KEYRING,
            facts={},
            checks={},
            watch=watched,
        )

    async def connected(self, stack: AsyncExitStack) -> Bus:
        return await stack.enter_async_context(broker.connect(self.platform.nats_url, name="test", timeout_s=5))

    async def function(self, name: str, handler: Handler, *, source: str = "", **fields: Any) -> Function:
        """A function of the app that does this, or what its source says, where the mode is a real one."""
        functions, source = Functions(self.store, TENANT), source or f"# {name}"
        digest, now = hashlib.sha256(source.encode()).hexdigest(), datetime.now(UTC)
        values: dict[str, Any] = {"deployed_as": name, "slug": name.lower().replace(" ", "-"), **fields}
        function = Function(
            id=await functions.next_id(),
            tenant=TENANT,
            app=self.app.id,
            app_slug=self.app.slug,
            app_name=self.app.name,
            name=name,
            execution_mode="app",
            active=ActiveVersion(1, "1", digest),
            created_at=now,
            updated_at=now,
            **values,
        )
        await Versions(self.store, TENANT).keep_source(digest, source)
        await functions.insert(function)
        self.handlers[function.slug] = handler
        await self.announce(function)
        return function

    async def announce(self, function: Function) -> None:
        """As the API tells of a change; returns when this process has been told."""
        notice = FunctionChanged(tenant=TENANT, function=function.slug, revision=function.revision)
        await self.bus.send(subjects.changed(TENANT, function.slug), notice)
        await self.bus.client.flush()

    async def begun(self, function: Function, *, user: User | None = USER, **request: Any) -> Wait:
        """A call with a request, waited for."""
        task_id = new_task_id()
        actor = Actor(kind="end_user_jwt", user_id="eve", claims={"plan": "pro"})
        origin = Origin(
            trigger_type="http",
            user=user,
            reply_to=self.waiting.subject(task_id),
            request=Request(ip="192.0.2.7", **request),
            actor=actor,
        )
        wait = self.waiting.enter(task_id, tenant=TENANT, within_s=60, streams=True)
        await submit(self.bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=origin)
        return wait

    async def call(self, function: Function, **request: Any) -> Outcome:
        wait = await self.begun(function, **request)
        outcome = await wait.outcome()
        assert outcome is not None
        return outcome

    async def recorded(self, task_id: str) -> Invocation:
        """The record of an invocation, as soon as it has ended."""
        async with asyncio.timeout(10):
            while (found := await Invocations(self.store, TENANT).by_task(task_id)) is None or not found.done_at:
                await asyncio.sleep(0.02)
        return found

    async def children(self, task_id: str, count: int) -> list[Invocation]:
        """What it called, as soon as so many are on record."""
        async with asyncio.timeout(10):
            while True:
                rows = await Invocations(self.store, TENANT).listed(Filter(), limit=1000, skip=0)
                found = [row for row in rows if row.parent_task_id == task_id and row.done_at]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(servers: embedded.Servers, **settings: Any) -> AsyncIterator[Shoal]:
    async with AsyncExitStack() as stack:
        shoal = Shoal(servers, **settings)
        await shoal.open(stack)
        yield shoal


def answered(body: bytes, **fields: Any) -> Outcome:
    return Outcome(status="SUCCESS", response=Response(body=body, **fields))
