"""The record of invocations: one document a task id."""

from collections.abc import Sequence

import msgspec

from shared.domain.invocation import FINAL, Invocation, Status, TriggerType
from shared.domain.outcome import LogLine, Outcome
from shared.store.client import Document, Store, Table, Upsert

COLLECTION = "invocations"
_ROW = ("id", "tenant", "function_id", "function_name", "function_slug", "trigger_type", "user_id", "user_username")
_AT_ONCE = 2000  # records removed by one call on the server: well within its deadline
_ROW_FIELDS = ("_id", *_ROW, "status", "version", "created_at", "done_at")


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which invocations are meant; a None does not narrow."""

    function_id: int | None = None
    function_slug: str | None = None
    trigger_type: TriggerType | None = None
    user_id: int | None = None
    status: Status | None = None

    def query(self) -> Document:
        """The query that says so."""
        return {field: value for field, value in msgspec.structs.asdict(self).items() if value is not None}


class Invocations:
    """One tenant's invocations."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table(COLLECTION, tenant)

    async def by_task(self, task_id: str) -> Invocation | None:
        """The record with this task id, or None."""
        return _read(await self._table.one({"_id": task_id}))

    async def by_id(self, id: int) -> Invocation | None:
        """The record with this number, or None."""
        return _read(await self._table.one({"id": id}))

    async def finished(self, task_id: str) -> bool:
        """Whether the task's end is on record."""
        return await self._table.one({"_id": task_id, "status": {"$in": sorted(FINAL)}}, fields=["_id"]) is not None

    async def ended(self, task_ids: Sequence[str]) -> list[str]:
        """Which of these tasks have their end on record."""
        query = {"_id": {"$in": list(task_ids)}, "status": {"$in": sorted(FINAL)}}
        found = await self._table.many(query, limit=max(len(task_ids), 1), fields=["_id"])
        return [document["_id"] for document in found]

    async def outcome(self, task_id: str) -> Outcome | None:
        """How the task ended, or None while its end is not on record."""
        found = await self.by_task(task_id)
        if found is None or found.status not in FINAL:
            return None
        return Outcome(
            status="SUCCESS" if found.status == "SUCCESS" else "FAILURE",
            result=msgspec.Raw(found.result.encode()),
            stdout=found.stdout,
            stderr=found.stderr,
            logs=msgspec.json.decode(found.logs, type=list[LogLine]),
            warnings=found.warnings,
            error_type=found.error_type,
            error=found.error,
            traceback=found.traceback,
        )

    async def known(self, task_id: str) -> bool:
        """Whether the task is on record, ended or not."""
        return await self._table.one({"_id": task_id}, fields=["_id"]) is not None

    async def listed(self, query: Document, *, limit: int, skip: int) -> list[Invocation]:
        """At most `limit` records that match, the newest first, without params, results and output."""
        found = await self._table.many(query, order=[("id", -1)], limit=limit, skip=skip, fields=_ROW_FIELDS)
        return [invocation for document in found if (invocation := _read(document)) is not None]

    async def count(self, query: Document) -> int:
        """How many records match."""
        return await self._table.count(query)

    async def delete_of(self, function_id: int) -> None:
        """Remove a function's records, however many."""
        while await self._table.delete_some({"function_id": function_id}, most=_AT_ONCE):
            pass


async def write(store: Store, writes: Sequence[Upsert]) -> list[int]:
    """Write many records of any tenants at once; the positions whose record had been finished before."""
    return await store.write_many(COLLECTION, writes)


def _read(document: Document | None) -> Invocation | None:
    if document is None:
        return None
    return msgspec.convert({**document, "task_id": document["_id"]}, Invocation)
