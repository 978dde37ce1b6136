"""The metrics of functions: one document a function, kept by the recorder, read by the API.

`applied` is the sequence of the last event that is counted, in the stream of events that was made at `stream`. A write
names the one it was made for: an event is never counted twice, whoever reads it again.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from shared.domain.metrics import HOURS, Metrics
from shared.store.client import Document, Store, Upsert

COLLECTION = "metrics"


class Known(NamedTuple):
    """Up to where the events of a function are counted, and the newest hour that has a count."""

    stream: str
    applied: int
    hour: int


class Added(NamedTuple):
    """What is to be added to a function's metrics. `before` is what they were made for, None for the first ones."""

    tenant: str
    function_id: int
    before: Known | None
    after: Known
    metrics: Metrics


class Total(NamedTuple):
    """How many ends of a function are counted."""

    tenant: str
    function_id: int
    total: int


async def totals(store: Store, *, limit: int, tenant: str = "") -> list[Total]:
    """Those of at most `limit` functions, of one tenant or of all."""
    fields = ["tenant", "total"]
    query = {"tenant": tenant} if tenant else {}
    found = await store.global_many(COLLECTION, query, limit=limit, fields=fields)
    return [Total(one["tenant"], one["_id"], one["total"]) for one in found]


async def known(store: Store, function_ids: Collection[int]) -> dict[int, Known]:
    """Up to where the events of these functions are counted; one that has no metrics yet is left out."""
    query = {"_id": {"$in": sorted(function_ids)}}
    fields = ["stream", "applied", "hour"]
    found = await store.global_many(COLLECTION, query, limit=max(len(function_ids), 1), fields=fields)
    return {one["_id"]: Known(one["stream"], one["applied"], one["hour"]) for one in found}


async def add(store: Store, additions: Sequence[Added]) -> bool:
    """Write them; False when one of them was made for what is not, or no longer, there: then it is not written."""
    first = [_first(one) for one in additions if one.before is None]
    further = [_further(one, one.before) for one in additions if one.before is not None]
    taken = await store.write_many(COLLECTION, first) if first else []
    return await store.change_many(COLLECTION, further) == len(further) and not taken


async def of(store: Store, tenant: str, function_ids: Collection[int]) -> dict[int, Metrics]:
    """The metrics of those of the functions that have been called."""
    table = store.table(COLLECTION, tenant)
    query = {"function_id": {"$in": sorted(function_ids)}}
    found = await table.many(query, limit=max(len(function_ids), 1), hint="function")
    return {one["_id"]: _read(one) for one in found}


async def forget(store: Store, tenant: str, function_id: int) -> None:
    """Remove those of a function that is gone."""
    await store.table(COLLECTION, tenant).delete({"function_id": function_id})


def _first(one: Added) -> Upsert:
    metrics = one.metrics
    values: Document = {
        "function_id": one.function_id,
        "tenant": one.tenant,
        **one.after._asdict(),
        "total": metrics.total,
        "errors": metrics.errors,
        "duration_us": metrics.duration_us,
        "last_at": metrics.last_at,
        "last_status": metrics.last_status,
        "hours": {str(number): {"total": hour.total, "errors": hour.errors} for number, hour in metrics.hours.items()},
        "latency": {str(number): count for number, count in metrics.latency.items()},
    }
    nothing = {"_id": one.function_id, "applied": -1}  # is never there: a key that is taken stays as it is
    return Upsert(nothing, {"$set": values}, {"_id": one.function_id, **values})


def _further(one: Added, before: Known) -> tuple[Document, Document]:
    metrics = one.metrics
    counts = {"total": metrics.total, "errors": metrics.errors, "duration_us": metrics.duration_us}
    counts |= {f"latency.{number}": count for number, count in metrics.latency.items()}
    for number, hour in metrics.hours.items():
        counts |= {f"hours.{number}.total": hour.total, f"hours.{number}.errors": hour.errors}
    change: Document = {
        "$inc": counts,
        "$set": {**one.after._asdict(), "last_status": metrics.last_status},
        "$max": {"last_at": metrics.last_at},
    }
    oldest = one.after.hour - HOURS + 1
    if gone := {f"hours.{number}": "" for number in range(before.hour - HOURS + 1, min(before.hour + 1, oldest))}:
        change["$unset"] = gone
    return {"_id": one.function_id, "stream": before.stream, "applied": before.applied}, change


def _read(document: Document) -> Metrics:
    return msgspec.convert(document, Metrics, strict=False)  # the numbers of buckets and hours are keys: text
