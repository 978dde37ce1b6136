"""Tenants, in the store. They stand above the tables of any one tenant."""

import msgspec

from shared.domain.tenant import Tenant
from shared.store.client import Store

_COLLECTION = "tenants"


async def find(store: Store, slug: str) -> Tenant | None:
    """The tenant of that slug, or None."""
    document = await store.global_one(_COLLECTION, {"_id": slug})
    return None if document is None else msgspec.convert({**document, "slug": document["_id"]}, Tenant)
