"""Tenants, in the store. They stand above the tables of any one tenant."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.limits import Amount
from shared.domain.problem import Problem
from shared.domain.tenant import Tenant, check_ceilings, check_rates, check_tenant_slug
from shared.store import deletions
from shared.store.client import Document, Store
from shared.store.indexes import INDEXES

_COLLECTION = "tenants"
# All that a tenant has: who may ask goes first, what they asked for after it.
_FIRST = ("tokens", "logins", "users", "functions")
_REST = sorted({collection for collection, *_ in INDEXES} - set(_FIRST) - {deletions.COLLECTION})
_FORGOTTEN_S = 60 * 86_400.0  # by then nothing that was asked of a deleted function is under way
_AT_ONCE = 5000


async def find(store: Store, slug: str) -> Tenant | None:
    """The tenant of that slug, or None."""
    return _read(await store.global_one(_COLLECTION, {"_id": slug}))


async def add(store: Store, slug: str, *, name: str = "") -> Tenant:
    """A new tenant. Raises Problem(invalid) when the slug cannot be, or is taken."""
    check_tenant_slug(slug)
    values = {"name": name, "limits": {}, "is_active": True, "created_at": datetime.now(UTC)}
    try:
        await store.global_insert(_COLLECTION, {"_id": slug, **values})
    except Problem as problem:
        if problem.code != "conflict":
            raise
        message = f"A tenant with slug '{slug}' exists already"
        raise Problem("invalid", message, {"slug": message}) from None
    return await named(store, slug)


async def keep(store: Store, slug: str) -> None:
    """See that there is this tenant. One that is there stays as it is."""
    if await find(store, slug) is None:
        try:
            await add(store, slug)
        except Problem as problem:  # another replica made it a moment ago
            if problem.code != "invalid":
                raise


async def inactive(store: Store, slugs: Iterable[str]) -> set[str]:
    """Which of these tenants are not active: nothing of theirs runs."""
    wanted = list(slugs)
    query = {"_id": {"$in": wanted}, "is_active": False}
    found = await store.global_many(_COLLECTION, query, limit=max(len(wanted), 1), fields=["_id"])
    return {document["_id"] for document in found}


async def any_limited(store: Store, field: str) -> bool:
    """Whether any tenant has a value of its own for this limit. Raises Problem(unavailable)."""
    return await store.global_one(_COLLECTION, {f"limits.{field}": {"$exists": True}}) is not None


async def named(store: Store, slug: str) -> Tenant:
    """The tenant. Raises Problem(not_found)."""
    found = await find(store, slug)
    if found is None:
        raise _missing(slug)
    return found


async def listed(store: Store, *, limit: int) -> list[Tenant]:
    """At most `limit` tenants, by slug."""
    found = await store.global_many(_COLLECTION, {}, order=[("_id", 1)], limit=limit)
    return [tenant for document in found if (tenant := _read(document))]


async def change(
    store: Store,
    slug: str,
    *,
    name: str | None = None,
    is_active: bool | None = None,
    limits: dict[str, Amount | None] | None = None,
    rates: dict[str, int | None] | None = None,
) -> Tenant:
    """Set what is given; a limit or a rate of None is taken away. Raises Problem(not_found, invalid)."""
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = name
    if is_active is not None:
        values["is_active"] = is_active
    gone: dict[str, str] = {}
    for field, amount in (limits or {}).items():
        check_ceilings({field: 1 if amount is None else amount})
        _put(f"limits.{field}", amount, values, gone)
    for field, rate in (rates or {}).items():
        check_rates({field: rate or 0})
        _put(f"rate_limits.{field}", rate, values, gone)
    change = {**({"$set": values} if values else {}), **({"$unset": gone} if gone else {})}
    if change and not await store.global_change(_COLLECTION, {"_id": slug}, change):
        raise _missing(slug)
    return await named(store, slug)


async def delete(store: Store, slug: str) -> None:
    """Remove a tenant and all that it has. Repeating it goes on where it was cut short. Raises Problem(not_found)."""
    await change(store, slug, is_active=False)
    await deletions.note_tenant(store, slug, kept_s=_FORGOTTEN_S)
    functions = store.table("functions", slug)
    for document in await functions.many({}, limit=await functions.count({}) or 1, fields=["id"]):
        await deletions.note(store, deletions.Gone(slug, document["id"]), kept_s=_FORGOTTEN_S)
    for collection in (*_FIRST, *_REST):
        table = store.table(collection, slug)
        while await table.delete_some({}, most=_AT_ONCE):
            pass
    await deletions.note_tenant(store, slug, kept_s=_FORGOTTEN_S)  # what was asked meanwhile is its own too
    await store.global_delete(_COLLECTION, {"_id": slug})


def _put(name: str, amount: Amount | None, values: dict[str, Any], gone: dict[str, str]) -> None:
    if amount is None:
        gone[name] = ""
    else:
        values[name] = amount


def _read(document: Document | None) -> Tenant | None:
    return None if document is None else msgspec.convert({**document, "slug": document["_id"]}, Tenant)


def _missing(slug: str) -> Problem:
    return Problem("not_found", f"Tenant '{slug}' not found")
