"""The ledger of schedules: one document for each tick that was planned, under the id of the task it asks for."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from shared.domain.tick import Tick
from shared.store.client import Document, Store, Table

_COLLECTION = "ticks"
_AT_ONCE = 2000


class Ticks:
    """One tenant's ledger."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table(_COLLECTION, tenant)

    async def last(self, function_id: int, *, limit: int) -> list[Tick]:
        """The newest entries of a function, the newest first."""
        found = await self._table.many({"function_id": function_id}, order=[("due", -1)], limit=limit)
        return [msgspec.convert({**document, "task_id": document["_id"]}, Tick) for document in found]

    async def submitted_at(self, task_id: str) -> float | None:
        """About when the run of a tick was submitted, Unix seconds; None where no tick has this task id."""
        found = await self._table.one({"_id": task_id}, fields=["due", "late_s"])
        return None if found is None else float(found["due"] + found["late_s"])

    async def delete_of(self, function_id: int) -> None:
        """Remove a function's entries, however many."""
        while await self._table.delete_some({"function_id": function_id}, most=_AT_ONCE):
            pass


async def enter(store: Store, ticks: Sequence[Tick], *, kept_s: float) -> None:
    """Enter many ticks of any tenants; an entry that is there stands. Each is forgotten after `kept_s`."""
    expires_at = datetime.now(UTC) + timedelta(seconds=kept_s)
    await store.add_new(_COLLECTION, [_document(tick, expires_at) for tick in ticks])


async def entered(store: Store, task_ids: Iterable[str]) -> set[str]:
    """Which of these have an entry."""
    wanted = list(task_ids)
    if not wanted:
        return set()
    found = await store.global_many(_COLLECTION, {"_id": {"$in": wanted}}, limit=len(wanted), fields=["_id"])
    return {document["_id"] for document in found}


def _document(tick: Tick, expires_at: datetime) -> Document:
    document: Document = msgspec.structs.asdict(tick)
    document["_id"] = document.pop("task_id")
    return {**document, "expires_at": expires_at}
