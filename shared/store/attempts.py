"""Attempts at the webhooks of functions: who called one, and what was made of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.store.client import Document, Store, Table

COLLECTION = "attempts"
MAX_TEXT = 500
"""Characters of any text of an attempt: what a sender writes is cut off there."""
_AT_ONCE = 5000


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request at a function's webhook; `status` is what it was answered, `task_id` the run that it set off.

    `source` is who seems to send, `verdict` one word and `reason` its sentence. Nothing of a secret is in it, nor of
    the body.
    """

    function_id: int
    at: datetime
    source: str
    verdict: str
    reason: str = ""
    delivery_id: str = ""
    task_id: str = ""
    ip: str = ""
    status: int = 0


class Attempts:
    """One tenant's attempts. Each is forgotten by itself after a while, and with its function or its tenant."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._table: Table = store.table(COLLECTION, tenant)

    async def insert(self, attempts: Sequence[Attempt], *, kept_s: float) -> None:
        """Add them, each for `kept_s` from its own time on. Raises Problem(unavailable)."""
        documents = [{**_document(one, kept_s), "tenant": self._tenant} for one in attempts]
        await self._store.add_new(COLLECTION, documents)

    async def listed(self, function_id: int, *, limit: int, before: datetime | None = None) -> list[Attempt]:
        """At most `limit` of a function's, made before a moment if one is given, the newest first."""
        query: Document = {"function_id": function_id} | ({} if before is None else {"at": {"$lt": before}})
        found = await self._table.many(query, order=[("at", -1)], limit=limit, hint="by_function")
        return [msgspec.convert(document, Attempt) for document in found]

    async def delete_of(self, function_id: int) -> None:
        """Remove a function's, however many."""
        while await self._table.delete_some({"function_id": function_id}, most=_AT_ONCE):
            pass


def _document(attempt: Attempt, kept_s: float) -> Document:
    values: Document = msgspec.structs.asdict(attempt)
    document = {name: _text(value) if isinstance(value, str) else value for name, value in values.items()}
    return {**document, "expires_at": attempt.at + timedelta(seconds=kept_s)}


def _text(text: str) -> str:
    """What can be kept of it: half a surrogate pair cannot."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()
