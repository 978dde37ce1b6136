"""One of each service as processes, on real servers, for a test that is no coroutine; and a witness of every change."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import nats
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError

from chaos import effects, settings
from chaos.doors import Doors
from chaos.fleet import Fleet
from chaos.journal import KILL, TERM, Journal
from chaos.ledger import Ledger, Submission
from shared import embedded
from shared.domain.invocation import TRANSITIONS, Status

SERVICES = ("api", "router", "executor", "recorder")
WITHIN_S = 60.0
_LEASE_S = 2.0

Result = TypeVar("Result")
End = tuple[Any, ...]
Asked = Future[None]


class Witness:
    """Hears of every change of a record from the database itself. `faults` are those that may not be."""

    def __init__(self) -> None:
        self.statuses: dict[str, Status] = {}
        self.ends: dict[str, End] = {}
        self.ids: dict[int, str] = {}
        self.faults: list[str] = []
        self.changed = asyncio.Event()

    def saw(self, document: dict[str, Any]) -> None:
        """The record is like this now."""
        task_id, status = document["_id"], document["status"]
        before = self.statuses.get(task_id)
        if before is None and status not in TRANSITIONS:
            self.faults.append(f"{task_id} began as {status}")
        if before is not None and status != before and status not in TRANSITIONS[before]:
            self.faults.append(f"{task_id} went from {before} to {status}")
        self.statuses[task_id] = status
        if not TRANSITIONS[status]:
            end = tuple(document.get(field) for field in ("status", "result", "error_type", "done_at", "event"))
            if self.ends.setdefault(task_id, end) != end:
                self.faults.append(f"{task_id} ended as {self.ends[task_id]}, and then as {end}")
        if self.ids.setdefault(document["id"], task_id) != task_id:
            self.faults.append(f"the id {document['id']} is that of {self.ids[document['id']]} and of {task_id}")
        self.changed.set()


class World:
    """Lives in a loop of its own, in a thread of its own. `do` is how a test gets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.witness: Witness
        self.fleet: Fleet
        self.ledger = Ledger()
        self.failures: list[str] = []
        self.sent: dict[tuple[str, str], tuple[str, bytes]] = {}  # by stream and task: the last message as it was sent
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = contextlib.AsyncExitStack()

    def __enter__(self) -> "World":
        self._thread.start()
        try:
            self.do(self._start())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, Result], *, within_s: float = WITHIN_S * 2) -> Result:
        """Run it there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    async def _start(self) -> None:
        servers = await self._stack.enter_async_context(embedded.servers(self.folder / "servers"))
        effects.install(self.folder / "packages")
        environ = settings.of(
            self.folder, bus=servers.nats_url, store=servers.mongodb_url, replicas=1, lease_s=_LEASE_S
        )
        journal = Journal(self.folder / "journal.log", lambda _: None)
        self.journal = journal
        self.fleet = Fleet(self.folder / "services", journal, settings=environ, services=SERVICES, replicas=1)
        self._stack.push_async_callback(self.fleet.stop)
        await self.fleet.start()
        self.bus = await nats.connect(servers.nats_url)
        self._stack.push_async_callback(self.bus.close)
        for subject in ("work.>", "invoke.>"):
            await self.bus.subscribe(subject, cb=self._heard)
        store: AsyncIOMotorClient[Any] = AsyncIOMotorClient(servers.mongodb_url, tz_aware=True)
        self._stack.callback(store.close)
        self.witness = Witness()
        watching = asyncio.create_task(self._watch(store["shoal"]["invocations"]))
        self._stack.callback(watching.cancel)

    async def _heard(self, message: Any) -> None:
        task_id = message.data.partition(b'"task_id":"')[2].partition(b'"')[0].decode()
        self.sent[message.subject.partition(".")[0], task_id] = message.subject, message.data

    async def repeat(self, what: str, task_id: str, *, id: str | None) -> None:
        """Store a message once more that was sent of this task, if one was."""
        if (what, task_id) in self.sent:
            subject, data = self.sent[what, task_id]
            await self.bus.jetstream().publish(subject, data, headers={"Nats-Msg-Id": id} if id else None)

    def ask(self, one: Submission, slug: str, params: dict[str, Any], *, waits: bool, after: Asked | None) -> Asked:
        """Begin to ask, after another one has been answered; not waited for."""

        async def ask() -> None:
            if after is not None:
                await asyncio.wrap_future(after)
            with self._client(one) as doors:
                await doors.execute(one, slug, params, **({} if waits else {"async": True}))

        return asyncio.run_coroutine_threadsafe(ask(), self._loop)

    async def cancel(self, one: Submission) -> None:
        """Cancel what is known of it."""
        with self._client(one) as doors:
            for task_id in one.given:
                await doors.cancel(one, task_id)

    @contextlib.contextmanager
    def _client(self, one: Submission) -> Iterator[Doors]:
        apis = [self.fleet.of("api")[0].url]
        doors = Doors(self.ledger, apis=apis, triggers=[], token=self.fleet.token, dice=Random(one.number))
        try:
            yield doors
        finally:
            doors.client.close()

    async def _watch(self, table: Any) -> None:
        """Each change, with the document as the database finds it then."""
        with contextlib.suppress(PyMongoError):
            async with table.watch(full_document="updateLookup") as changes:
                async for change in changes:
                    if change.get("fullDocument"):
                        self.witness.saw(change["fullDocument"])

    async def end(self, service: str, *, how: str) -> None:
        """kill -9, or SIGTERM; it is started again a moment later."""
        one = self.fleet.of(service)[0]
        if one.pid is None or one.pid in one.ended:
            return
        one.ended[one.pid] = self.journal.note(how, one.name, one.pid)
        os.kill(one.pid, signal.SIGKILL if how == KILL else signal.SIGTERM)

    async def until_ended(self, task_ids: set[str]) -> set[str]:
        """Those that have not ended within the bound; empty as a rule."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                while not task_ids <= self.witness.ends.keys():
                    await self._something(WITHIN_S)
        return task_ids - self.witness.ends.keys()

    async def settled(self, number: int) -> None:
        """Return when nothing is queued any more, and all that was told of before is on record."""
        stream = self.bus.jetstream()
        async with asyncio.timeout(WITHIN_S):
            while (await stream.stream_info("WORK")).state.messages:
                await asyncio.sleep(0.1)
        last = Submission(number=number, kind="last")
        with self._client(last) as doors:
            await doors.execute(last, effects.PLAIN, {})
        await self.until_ended(set(last.given))

    async def something(self, *, within_s: float) -> None:
        """Return when a record has changed, or the time is up: it may be that none is to."""
        await self._something(within_s)

    async def _something(self, within_s: float) -> None:
        self.witness.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.witness.changed.wait(), within_s)


__all__ = ["KILL", "SERVICES", "TERM", "World"]
