"""Functions and tenants that are gone: what still comes of them is not to be written down.

Ids of functions are given once, so an id that stands here never becomes another function's. A tenant's slug may be
given again, so the moment stands with it: what was asked before it was asked by the former one.
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


async def note_tenant(store: Store, slug: str, *, kept_s: float) -> None:
    """A tenant is being deleted; system functions, which all tenants have, are not noted one by one."""
    now = datetime.now(UTC)
    change = {"$set": {"at": now.timestamp(), "expires_at": now + timedelta(seconds=kept_s)}}
    await store.global_upsert(COLLECTION, {"_id": slug}, change)


async def all_ids(store: Store) -> set[int]:
    """The ids of all functions, or of the latest of very many."""
    functions = {"_id": {"$gte": 0}}  # a slug is no number
    found = await store.global_many(COLLECTION, functions, order=[("_id", -1)], limit=_MOST, fields=["_id"])
    return {document["_id"] for document in found}


async def all_tenants(store: Store) -> dict[str, float]:
    """When tenants were deleted, Unix seconds, by slug."""
    found = await store.global_many(COLLECTION, {"_id": {"$gte": ""}}, order=(), limit=_MOST, fields=["at"])
    return {document["_id"]: document["at"] for document in found}


async def unswept(store: Store, *, most: int) -> list[Gone]:
    """Those whose records nobody has looked for since."""
    found = await store.global_many(COLLECTION, {"swept": False}, order=(), limit=most, fields=["tenant"])
    return [Gone(document["tenant"], document["_id"]) for document in found]


async def swept(store: Store, gone: Gone) -> None:
    """Nothing of it is on record, and nothing will be."""
    await store.global_change(COLLECTION, {"_id": gone.function_id}, [{"$set": {"swept": True}}])
