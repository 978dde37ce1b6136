"""What is on record and on the bus, read past everything of Shoal's own: a second opinion needs eyes of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import nats
import nats.errors
from motor.motor_asyncio import AsyncIOMotorClient
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

ENDS = frozenset({"SUCCESS", "FAILURE", "CANCELLED", "EXPIRED"})
_AT_ONCE = 1000
_FETCH_S = 10.0
_PATIENCE_S = 60.0  # with a bus one of whose servers came back a moment ago
_PAUSE_S = 0.5
Found = TypeVar("Found")
_FIELDS = (
    *("id", "status", "function_slug", "trigger_type", "params", "result", "attempts", "delivery", "executor"),
    *("error_type", "error", "parent_task_id", "created_at", "done_at"),
)


class Record(msgspec.Struct, kw_only=True):
    """One invocation as it is in the database."""

    task_id: str
    id: int
    status: str
    function_slug: str
    trigger_type: str
    params: str = "{}"
    result: str = "null"
    attempts: int = 0
    delivery: int = 0
    executor: str = ""
    error_type: str = ""
    error: str = ""
    parent_task_id: str = ""
    created_at: datetime | None = None
    done_at: datetime | None = None

    @property
    def number(self) -> int | None:
        """The number of the wish that it is of."""
        try:
            found = msgspec.json.decode(self.params)
        except msgspec.DecodeError:
            return None
        return found.get("number") if isinstance(found, dict) else None

    @property
    def answered(self) -> int | None:
        """The number in its result."""
        try:
            found = msgspec.json.decode(self.result)
        except msgspec.DecodeError:
            return None
        return found.get("number") if isinstance(found, dict) else None


class Queues(msgspec.Struct, frozen=True):
    """How much there is: commands on the bus, records, those of them without an end, and what is queued."""

    commands: int
    records: int
    open: int
    queued: int

    @property
    def is_settled(self) -> bool:
        """Whether everything has become of it what was to."""
        return self.commands == self.records and self.open == 0 and self.queued == 0


class Records:
    """Reads both."""

    def __init__(self, bus: Client, store: AsyncIOMotorClient[Any]) -> None:
        self._bus = bus
        self._stream = bus.jetstream(timeout=_FETCH_S)
        self._table = store["shoal"]["invocations"]

    async def queues(self) -> Queues:
        """As it is now."""
        commands = (await _patiently(lambda: self._stream.stream_info("INVOKE"))).state.messages
        queued = (await _patiently(lambda: self._stream.stream_info("WORK"))).state.messages
        unended = await self._table.count_documents({"status": {"$nin": sorted(ENDS)}})
        return Queues(commands, await self._table.count_documents({}), unended, queued)

    async def all(self) -> list[Record]:
        """Every record."""
        found = self._table.find({}, list(_FIELDS), batch_size=_AT_ONCE)
        return [msgspec.convert({**one, "task_id": one["_id"]}, Record) async for one in found]

    async def stored(self, stream: str, subject: str) -> list[tuple[int, dict[str, Any]]]:
        """Every message of a stream on these subjects, with its sequence."""
        return await _patiently(lambda: self._stored(stream, subject))

    async def _stored(self, stream: str, subject: str) -> list[tuple[int, dict[str, Any]]]:
        info = await self._stream.stream_info(stream, subjects_filter=subject)
        expected = sum((info.state.subjects or {}).values())
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, filter_subject=subject)
        pull = await self._stream.pull_subscribe(subject, stream=stream, config=config)
        found: list[tuple[int, dict[str, Any]]] = []
        try:
            while len(found) < expected:
                got = await pull.fetch(min(_AT_ONCE, expected - len(found)), timeout=_FETCH_S)
                found += [(one.metadata.sequence.stream, msgspec.json.decode(one.data)) for one in got]
        finally:
            await pull.unsubscribe()
        return found


async def _patiently(read: Callable[[], Awaitable[Found]]) -> Found:
    """What is read in the end, from the beginning where the bus broke off."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await read()
        except (nats.errors.Error, APIError, TimeoutError, OSError):
            if time.monotonic() > until:
                raise
        await asyncio.sleep(_PAUSE_S)


@asynccontextmanager
async def opened(bus: str, store: str) -> AsyncIterator[Records]:
    """Connections of its own."""
    client = await nats.connect(bus.split(","), max_reconnect_attempts=-1, error_cb=_quiet)
    motor: AsyncIOMotorClient[Any] = AsyncIOMotorClient(store, tz_aware=True, w="majority")
    try:
        yield Records(client, motor)
    finally:
        await client.close()
        motor.close()


async def _quiet(_: Exception) -> None:
    """A server that is killed is no news here."""
