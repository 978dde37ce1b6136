"""The history of functions: what each was after a change. It outlives its function for a while."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from shared.domain.function import ExecutionMode, Function
from shared.domain.problem import Problem
from shared.store.client import Store, Table

COLLECTION = "history"
Kind = Literal["Created", "Changed", "Deleted"]
KEPT = 1000  # entries of one function, the newest
KEPT_AFTER_S = 90 * 86_400.0  # after the function is deleted
_SLACK = 50  # as many more before the oldest are removed: not at every change


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A function after a change; with the kind Deleted, as it was last."""

    id: int
    function_id: int
    at: datetime
    kind: Kind
    user: str
    name: str
    slug: str
    app_slug: str
    execution_mode: ExecutionMode
    is_active: bool
    schedule_enabled: bool


class History:
    """One tenant's history of functions."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._table: Table = store.table(COLLECTION, tenant)
        self._tenant = tenant

    async def add(self, function: Function, kind: Kind, *, user: str) -> None:
        """Write down what the function is now."""
        entry = await self._entry(function, kind, user=user)
        await self._table.insert(msgspec.to_builtins(entry, builtin_types=(datetime,)))
        await self._trim(function.id)

    async def close(self, function: Function, *, user: str) -> None:
        """Write down, once, that the function is deleted; its history goes some time after it."""
        entry = await self._entry(function, "Deleted", user=user)
        document = msgspec.to_builtins(entry, builtin_types=(datetime,))
        expires_at = datetime.now(UTC) + timedelta(seconds=KEPT_AFTER_S)
        # Of several who delete it at once, each may come here: the key of the document makes it one.
        key = f"end of {self._tenant}/{function.id}"
        try:
            await self._table.insert({"_id": key, **document, "expires_at": expires_at})
        except Problem as problem:
            if problem.code != "conflict":
                raise
        await self._table.set_all({"function_id": function.id}, {"expires_at": expires_at})

    async def listed(self, function_id: int, *, limit: int, skip: int) -> list[Entry]:
        """At most `limit` entries of a function, the newest first."""
        order = [("id", -1)]
        found = await self._table.many({"function_id": function_id}, order=order, limit=limit, skip=skip)
        return [msgspec.convert(document, Entry) for document in found]

    async def last_owner(self, slug: str, *, app_slug: str | None) -> int | None:
        """The id of the deleted function that had this slug last, in this app if one is given, or None."""
        query = {"slug": slug, "kind": "Deleted"} | ({} if app_slug is None else {"app_slug": app_slug})
        found = await self._table.many(query, order=[("id", -1)], limit=1)
        return int(found[0]["function_id"]) if found else None

    async def _entry(self, function: Function, kind: Kind, *, user: str) -> Entry:
        return Entry(
            id=await self._store.next_id(COLLECTION),
            function_id=function.id,
            at=datetime.now(UTC),
            kind=kind,
            user=user,
            name=function.name,
            slug=function.slug,
            app_slug=function.app_slug,
            execution_mode=function.execution_mode,
            is_active=function.is_active,
            schedule_enabled=function.schedule_enabled,
        )

    async def _trim(self, function_id: int) -> None:
        of = {"function_id": function_id}
        if await self._table.many(of, order=[("id", -1)], limit=1, skip=KEPT + _SLACK, fields=["id"]):
            [oldest] = await self._table.many(of, order=[("id", -1)], limit=1, skip=KEPT - 1, fields=["id"])
            await self._table.delete({**of, "id": {"$lt": oldest["id"]}})
