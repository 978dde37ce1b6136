"""Functions that are gone: what still comes of them is not to be written down.

Ids of functions are given once, so an id that stands here never becomes another function's.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from shared.store.client import Store

COLLECTION = "deletions"
_MOST = 1_000_000  # what one process keeps in mind: 100 bytes each


class Gone(NamedTuple):
    """A function that is gone."""

    tenant: str
    function_id: int


async def note(store: Store, gone: Gone, *, kept_s: float) -> None:
    """A function is being deleted; remembered for as long as anything of it may be on its way."""
    expires_at = datetime.now(UTC) + timedelta(seconds=kept_s)
    change = {"$set": {"tenant": gone.tenant, "expires_at": expires_at, "swept": False}}
    await store.global_upsert(COLLECTION, {"_id": gone.function_id}, change)


async def all_ids(store: Store) -> set[int]:
    """The ids of all, or of the latest of very many."""
    found = await store.global_many(COLLECTION, {}, order=[("_id", -1)], limit=_MOST, fields=["_id"])
    return {document["_id"] for document in found}


async def unswept(store: Store, *, most: int) -> list[Gone]:
    """Those whose records nobody has looked for since."""
    found = await store.global_many(COLLECTION, {"swept": False}, order=(), limit=most, fields=["tenant"])
    return [Gone(document["tenant"], document["_id"]) for document in found]


async def swept(store: Store, gone: Gone) -> None:
    """Nothing of it is on record, and nothing will be."""
    await store.global_change(COLLECTION, {"_id": gone.function_id}, [{"$set": {"swept": True}}])
