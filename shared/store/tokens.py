"""API tokens: only their hashes are kept."""

import hashlib
from datetime import UTC, datetime

import msgspec

from shared.domain.caller import Caller
from shared.store.client import Store


def hashed(token: str) -> str:
    """The name under which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


async def whose_hash(store: Store, token_hash: str) -> Caller | None:
    """Who the token with this hash speaks for, or None when there is no such token."""
    found = await store.global_one("tokens", {"_id": token_hash})
    return None if found is None else msgspec.convert(found["caller"], Caller)


async def keep(store: Store, token: str, caller: Caller) -> None:
    """Let this token speak for this caller. Repeating it changes nothing."""
    values = {"caller": msgspec.to_builtins(caller), "created_at": datetime.now(UTC)}
    await store.global_upsert("tokens", {"_id": hashed(token)}, {"$setOnInsert": values})


async def keep_operator(store: Store, token: str, caller: Caller) -> None:
    """Let this token, the operator's own, speak for this caller, and its predecessors no more; with "" only the latter.

    A process that has believed a predecessor goes on for as long as it believes tokens.
    """
    if token:
        values = {"caller": msgspec.to_builtins(caller), "operator": True}
        change = {"$set": values, "$setOnInsert": {"created_at": datetime.now(UTC)}}
        await store.global_upsert("tokens", {"_id": hashed(token)}, change)
    await store.global_delete("tokens", {"operator": True, "_id": {"$ne": hashed(token)}})
