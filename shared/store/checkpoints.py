"""How far a reader of the logs has come, and which of its replicas is at work: one document a reader.

The store's own clock decides about the lease, so replicas need not agree on the time.
"""

import msgspec

from shared.store.client import Store

RECORDER = "recorder"
"""The reader that writes the record."""

_COLLECTION = "checkpoints"


class Mark(msgspec.Struct, frozen=True):
    """A place in a stream: all up to `sequence` is done, in the stream that was made at `created`."""

    created: str
    sequence: int


async def take(store: Store, reader: str, *, holder: str, lease_s: float) -> dict[str, Mark] | None:
    """Take the reader's work, if nobody else is at it: where to go on in each stream. None while somebody is."""
    free = {"$or": [{"$eq": ["$holder", holder]}, {"$lt": ["$until", "$$NOW"]}]}  # no document, no date: free
    mine = {
        "holder": {"$cond": [free, holder, "$holder"]},
        "until": {"$cond": [free, {"$add": ["$$NOW", int(lease_s * 1000)]}, "$until"]},
    }
    found = await store.global_claim(_COLLECTION, {"_id": reader}, [{"$set": mine}])
    return msgspec.convert(found.get("marks", {}), dict[str, Mark]) if found["holder"] == holder else None


async def marks(store: Store, reader: str) -> dict[str, Mark]:
    """How far the reader has come in each stream, as far as it has written down."""
    found = await store.global_one(_COLLECTION, {"_id": reader})
    return msgspec.convert(found.get("marks", {}), dict[str, Mark]) if found else {}


async def begin_anew(store: Store, reader: str) -> None:
    """Forget how far it has come, and end the turn of whoever has it: the next one reads from the beginning."""
    await store.global_upsert(
        _COLLECTION, {"_id": reader}, [{"$set": {"holder": "", "until": "$$NOW", "marks": {"$literal": {}}}}]
    )


async def keep(store: Store, reader: str, marks: dict[str, Mark], *, holder: str, lease_s: float) -> bool:
    """Write down how far it has come, and stay at work for another `lease_s`; 0 gives it up. False when it was lost."""
    until = {"$add": ["$$NOW", int(lease_s * 1000)]}
    change = [{"$set": {"until": until, "marks": {"$literal": msgspec.to_builtins(marks)}}}]
    return await store.global_change(_COLLECTION, {"_id": reader, "holder": holder}, change)
