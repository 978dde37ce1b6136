"""Functions, in the store."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from shared.domain.function import ExecutionMode, Function
from shared.domain.problem import Problem
from shared.store.client import Document, Store, Table

# A change of one of these sets `schedule_due` to 0: the schedulers have to plan anew (`shared/store/schedules.py`).
_SCHEDULED_BY = frozenset({"is_active", "schedule_enabled", "cron_expression", "schedule_timezone"})
_BSON = (datetime, bytes)  # what the driver takes as it is


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which functions are meant; a None does not narrow. `search` is a text within name, description or slug."""

    app_slug: str | None = None
    execution_mode: ExecutionMode | None = None
    category: str | None = None
    is_active: bool | None = None
    schedule_enabled: bool | None = None
    search: str | None = None

    def query(self) -> Document:
        """The query that says so."""
        query: Document = {field: value for field, value in msgspec.structs.asdict(self).items() if value is not None}
        if text := query.pop("search", None):
            within = {"$regex": re.escape(text), "$options": "i"}
            query["$or"] = [{"name": within}, {"description": within}, {"slug": within}]
        return query


class Functions:
    """One tenant's functions."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._table: Table = store.table("functions", tenant)

    async def by_slug(self, slug: str) -> Function | None:
        """The function with this slug, or None."""
        return _read(await self._table.one({"slug": slug}))

    async def by_id(self, id: int) -> Function | None:
        """The function with this id, or None."""
        return _read(await self._table.one({"id": id}))

    async def listed(
        self, query: Document, *, order: Sequence[tuple[str, int]], limit: int, skip: int
    ) -> list[Function]:
        """At most `limit` functions that match."""
        found = await self._table.many(query, order=order, limit=limit, skip=skip)
        return [msgspec.convert(document, Function) for document in found]

    async def count(self, query: Document) -> int:
        """How many functions match."""
        return await self._table.count(query)

    async def by_ids(self, ids: Iterable[int]) -> list[Function]:
        """The functions with these ids, in no order; an id that nobody has is left out."""
        wanted = sorted(set(ids))
        return await self.listed({"id": {"$in": wanted}}, order=[("id", 1)], limit=max(len(wanted), 1), skip=0)

    async def ids_in(self, app_slug: str, *, limit: int) -> list[int]:
        """The ids of at most `limit` functions of an app."""
        found = await self._table.many({"app_slug": app_slug}, order=[("id", 1)], limit=limit, fields=["id"])
        return [document["id"] for document in found]

    async def slugs_like(self, slug: str) -> set[str]:
        """Which of `slug`, `slug-2`, `slug-3` … are taken."""
        like = {"slug": {"$regex": f"^{re.escape(slug)}(-[0-9]+)?$"}}
        found = await self._table.many(like, order=[("slug", 1)], limit=10_000, fields=["slug"])
        return {document["slug"] for document in found}

    async def next_id(self) -> int:
        """The id of a function to be."""
        return await self._store.next_id("functions")

    async def insert(self, function: Function) -> None:
        """Add a function. Raises Problem(conflict) when its slug is taken."""
        planned = {"schedule_due": 0} if function.is_scheduled else {}
        await self._table.insert({**msgspec.to_builtins(function, builtin_types=_BSON), **planned})

    async def change(self, slug: str, values: dict[str, Any]) -> Function:
        """Set fields and raise the revision. Raises Problem(not_found)."""
        changed = _read(await self._table.update({"slug": slug}, _change(values)))
        if changed is None:
            raise Problem("not_found", f"Function with slug '{slug}' not found")
        return changed

    async def change_at(self, function: Function, values: dict[str, Any]) -> Function | None:
        """`change`, unless somebody else has changed the function since it was read: then nothing happens, and None."""
        query = {"id": function.id, "revision": function.revision}
        return _read(await self._table.update(query, _change(values)))

    async def delete(self, function: Function) -> None:
        """Remove a function. What belongs to it is to be removed before."""
        await self._table.delete({"id": function.id})


def _change(values: dict[str, Any]) -> Document:
    planned = {} if _SCHEDULED_BY.isdisjoint(values) else {"schedule_due": 0}
    return {"$set": {**values, **planned}, "$inc": {"revision": 1}}


def _read(document: Document | None) -> Function | None:
    return None if document is None else msgspec.convert(document, Function)
