"""How invocations of any tenants stand on record: for who compares the record with the streams, many at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from shared.domain.invocation import FINAL, TRANSITIONS, Status
from shared.store.client import Document, Store
from shared.store.invocations import COLLECTION

UNENDED_INDEX = "unended"
UNENDED: Document = {"status": {"$in": sorted(TRANSITIONS.keys() - FINAL)}}
"""What finds the records that have not ended; the index `unended` has nothing else."""
_OF_AN_END = (
    *("stdout", "stderr", "warnings", "logs", "error_type", "error", "traceback", "failed"),
    *("duration_us", "method", "path", "status_code"),
)
_FIELDS = ("id", "tenant", "function_slug", "status", "event", "attempts", "created_at")


class State(NamedTuple):
    """A record. `event` is the sequence of the end in EVENTS, 0 where it is not known; `attempts` have ended."""

    task_id: str
    id: int
    tenant: str
    function: str
    status: Status
    event: int
    attempts: int
    created_at: datetime

    @property
    def has_ended(self) -> bool:
        """Whether its end is on record."""
        return self.status in FINAL


async def states(store: Store, task_ids: Sequence[str]) -> dict[str, State]:
    """Those of the tasks that are on record."""
    query = {"_id": {"$in": list(task_ids)}}
    found = await store.global_many(COLLECTION, query, limit=max(len(task_ids), 1), fields=_FIELDS)
    return {document["_id"]: _read(document) for document in found}


async def unended(store: Store, *, before: float, limit: int, after: State | None = None) -> list[State]:
    """At most `limit` records without an end that were asked for before a moment, Unix seconds, the oldest first.

    `after` is the last one of the page before.
    """
    query: Document = {**UNENDED, "created_at": {"$lt": datetime.fromtimestamp(before, UTC)}}
    if after is not None:
        query["created_at"]["$gte"] = after.created_at
        later = {"created_at": {"$gt": after.created_at}}
        query["$or"] = [later, {"created_at": after.created_at, "_id": {"$gt": after.task_id}}]
    order = [("created_at", 1), ("_id", 1)]
    found = await store.global_many(COLLECTION, query, order=order, limit=limit, fields=_FIELDS)
    return [_read(document) for document in found]


async def count_ended(store: Store, tenant: str, function_id: int) -> int:
    """How many calls of a function have their end on record."""
    query = {"tenant": tenant, "function_id": function_id, "status": {"$in": sorted(FINAL)}}
    return await store.global_count(COLLECTION, query)


async def replace_end(store: Store, state: State, end: Document) -> None:
    """Write another end over the one that is on record, if that is still the same."""
    gone = {field: "" for field in _OF_AN_END if field not in end}
    await store.global_change(COLLECTION, {"_id": state.task_id, "event": state.event}, {"$set": end, "$unset": gone})


def _read(document: Document) -> State:
    return State(
        document["_id"],
        document["id"],
        document["tenant"],
        document["function_slug"],
        document["status"],
        document.get("event", 0),
        document.get("attempts", 0),
        document["created_at"],
    )
