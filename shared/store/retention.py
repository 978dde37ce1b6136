"""For how long the recorder at work keeps records: noted for who writes some beside it without its settings."""

from typing import NamedTuple

from shared.store.client import Store

_COLLECTION = "retention"
_KEY = {"_id": "platform"}


class Kept(NamedTuple):
    """Days after its end that a record is kept, 0 for good; and days that the streams have what is in them."""

    days: float
    streams_days: float


async def note(store: Store, kept: Kept) -> None:
    """This is what holds for all tenants without a value of their own. Raises Problem(unavailable)."""
    await store.global_upsert(_COLLECTION, _KEY, {"$set": kept._asdict()})


async def noted(store: Store) -> Kept | None:
    """What was noted; None where no recorder ever did. Raises Problem(unavailable)."""
    found = await store.global_one(_COLLECTION, _KEY)
    return None if found is None else Kept(found["days"], found["streams_days"])
