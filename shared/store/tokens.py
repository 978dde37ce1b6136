"""API tokens: only their hashes are kept."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.domain.caller import Role, Scope
from shared.domain.problem import Problem, wrong
from shared.domain.tenant import DEFAULT
from shared.domain.token import MAX_TOKENS, Token
from shared.domain.user import OPERATOR_ID
from shared.store.client import Document, Store

PREFIX = "shoal_"
_SECRET_BYTES = 32
LENGTH = 43
"""Characters after the prefix of a token that was made here."""
_USED_S = 3600.0  # how coarse `last_used_at` is
_BSON = (datetime,)
_COLLECTION = "tokens"
_NOT_THE_OPERATOR_S = {"operator": {"$ne": True}}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be."""

    name: str
    user_id: int
    role: Role
    scopes: frozenset[Scope]
    expires_at: datetime | None = None


def hashed(token: str) -> str:
    """The name under which a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


async def by_hash(store: Store, token_hash: str) -> Token | None:
    """The token with this hash, or None: the one look that cannot know its tenant yet."""
    found = await store.global_one(_COLLECTION, {"_id": token_hash})
    return None if found is None or "user_id" not in found else msgspec.convert(found, Token)


async def keep_operator(store: Store, token: str) -> list[str]:
    """Let this token, the operator's own, speak for the operator, and its predecessors no more; with "" only the
    latter. The hashes of those that were revoked."""
    kept = hashed(token) if token else ""
    table = store.table(_COLLECTION, DEFAULT)
    former = await table.many({"operator": True, "_id": {"$ne": kept}}, limit=MAX_TOKENS, fields=["_id"])
    if token and await by_hash(store, kept) is None:
        values = Token(
            id=await store.next_id(_COLLECTION),
            tenant=DEFAULT,
            name="operator",
            user_id=OPERATOR_ID,
            role="admin",
            operator=True,
            created_at=datetime.now(UTC),
        )
        await store.global_upsert(_COLLECTION, {"_id": kept}, {"$set": _document(values)})
    await store.global_delete(_COLLECTION, {"operator": True, "_id": {"$ne": kept}})
    return [document["_id"] for document in former]


class Tokens:
    """One tenant's tokens, but for the operator's own, which is nobody's to list or to revoke."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._table = store.table(_COLLECTION, tenant)

    async def add(self, draft: Draft, *, secret: str = "") -> tuple[Token, str]:
        """A new token and its secret, which is not kept and cannot be had again. Raises Problem(invalid)."""
        if draft.expires_at is not None and draft.expires_at <= datetime.now(UTC):
            raise wrong("expires_at", "expires_at must be in the future")
        if await self._table.count({"user_id": draft.user_id, "revoked_at": None}) >= MAX_TOKENS:
            raise wrong("name", f"A user may have {MAX_TOKENS} tokens at once; revoke one first")
        secret = secret or PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        token = Token(
            id=await self._store.next_id(_COLLECTION),
            tenant=self._tenant,
            created_at=datetime.now(UTC),
            **msgspec.structs.asdict(draft),
        )
        await self._table.insert({**_document(token), "_id": hashed(secret)})
        return token, secret

    async def by_id(self, id: int) -> Token | None:
        """The token, or None."""
        found = await self._table.one({"id": id, **_NOT_THE_OPERATOR_S})
        return None if found is None else msgspec.convert(found, Token)

    async def listed(self, *, user_id: int | None = None, limit: int, skip: int = 0) -> list[Token]:
        """At most `limit` tokens, of one user or of all, the newest first."""
        found = await self._table.many(_of(user_id), order=[("id", -1)], limit=limit, skip=skip)
        return [msgspec.convert(document, Token) for document in found]

    async def count(self, *, user_id: int | None = None) -> int:
        """How many there are, of one user or of all."""
        return await self._table.count(_of(user_id))

    async def revoke(self, id: int) -> str:
        """From now on it speaks for nobody; its hash. Raises Problem(not_found)."""
        found = await self._table.update(
            {"id": id, **_NOT_THE_OPERATOR_S},
            [{"$set": {"revoked_at": {"$ifNull": ["$revoked_at", datetime.now(UTC)]}}}],
        )
        if found is None:
            raise Problem("not_found", f"Token with id {id} not found")
        return str(found["_id"])

    async def touch(self, token: Token) -> None:
        """Note, once an hour at most, that the token was used."""
        now = datetime.now(UTC)
        if token.last_used_at is None or now - token.last_used_at > timedelta(seconds=_USED_S):
            await self._table.update({"id": token.id}, {"$set": {"last_used_at": now}})


def _of(user_id: int | None) -> Document:
    return {**_NOT_THE_OPERATOR_S, **({} if user_id is None else {"user_id": user_id})}


def _document(token: Token) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(token, builtin_types=_BSON)
    return {**document, "scopes": sorted(token.scopes)}
