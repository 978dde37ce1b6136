"""API tokens: only their hashes are kept."""

import hashlib
from datetime import UTC, datetime

import msgspec

from shared.domain.caller import Caller
from shared.store.client import Store


def hashed(token: str) -> str:
    """The name under which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


async def whose(store: Store, token: str) -> Caller | None:
    """Who a token speaks for, or None when there is no such token."""
    return await whose_hash(store, hashed(token))


async def whose_hash(store: Store, token_hash: str) -> Caller | None:
    """Who the token with this hash speaks for, or None when there is no such token."""
    found = await store.global_one("tokens", {"_id": token_hash})
    return None if found is None else msgspec.convert(found["caller"], Caller)


async def keep(store: Store, token: str, caller: Caller) -> None:
    """Let this token speak for this caller. Repeating it changes nothing."""
    values = {"caller": msgspec.to_builtins(caller), "created_at": datetime.now(UTC)}
    await store.global_upsert("tokens", {"_id": hashed(token)}, {"$setOnInsert": values})
