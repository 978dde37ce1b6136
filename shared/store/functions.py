"""Functions, in the store."""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.function import ExecutionMode, Function, is_slug
from shared.domain.problem import Problem
from shared.domain.trigger import TriggerKind
from shared.store.client import Document, Store, Table
from shared.store.transactions import Change, Insert

COLLECTION = "functions"
# A change of one of these sets `schedule_due` to 0: the schedulers have to plan anew (`shared/store/schedules.py`).
_SCHEDULED_BY = frozenset({"is_active", "schedule_enabled", "cron_expression", "schedule_timezone"})
_BSON = (datetime, bytes)  # what the driver takes as it is
_LIVE: Document = {"deleted_at": None}
DELETED: Document = {"deleted_at": {"$type": "date"}}
"""What finds the softly deleted ones; the index `deleted` has nothing else."""
_NAMED = {"$gt": ""}
_AT_ONCE = 1000


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


class Named(msgspec.Struct, frozen=True):
    """A function, as far as a notice of its change names it."""

    id: int
    tenant: str
    slug: str
    name: str
    revision: int
    deployed_as: str = ""


class Functions:
    """One tenant's functions. Softly deleted ones are found only where it is said."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._table: Table = store.table(COLLECTION, tenant)

    async def by_slug(self, slug: str) -> Function | None:
        """The function with this slug, or None."""
        return _read(await self._table.one({"slug": slug, **_LIVE}))

    async def by_id(self, id: int) -> Function | None:
        """The function with this id, or None."""
        return _read(await self._table.one({"id": id, **_LIVE}))

    async def listed(
        self, query: Document, *, order: Sequence[tuple[str, int]], limit: int, skip: int
    ) -> list[Function]:
        """At most `limit` functions that match."""
        found = await self._table.many({**query, **_LIVE}, order=order, limit=limit, skip=skip)
        return [msgspec.convert(document, Function) for document in found]

    async def count(self, query: Document) -> int:
        """How many functions match."""
        deleted = await self._table.count({**query, **DELETED})  # few: so the many are counted in the indexes alone
        return await self._table.count(query) - deleted

    async def by_ids(self, ids: Iterable[int]) -> list[Function]:
        """The functions with these ids, in no order; an id that nobody has is left out."""
        wanted = sorted(set(ids))
        return await self.listed({"id": {"$in": wanted}}, order=[("id", 1)], limit=max(len(wanted), 1), skip=0)

    async def ids_in(self, app_slug: str, *, limit: int) -> list[int]:
        """The ids of at most `limit` functions of an app."""
        found = await self._table.many({"app_slug": app_slug, **_LIVE}, order=[("id", 1)], limit=limit, fields=["id"])
        return [document["id"] for document in found]

    async def triggered_by(self, kind: TriggerKind, *, limit: int) -> list[Function]:
        """At most `limit` active functions that have an enabled trigger of this kind, by id."""
        enabled = {"$elemMatch": {"type": kind, "enabled": {"$ne": False}}}
        query = {"triggers": enabled, "is_active": True}
        return await self.listed(query, order=[("id", 1)], limit=limit, skip=0)

    async def by_key(self, key: str) -> Function | None:
        """The plugin with this key, or None."""
        return _read(await self._table.one({"plugin.key": key, **_LIVE})) if key else None

    async def plugins(self, *, limit: int) -> list[Function]:
        """At most `limit` plugins, by id."""
        found = await self._table.many({"plugin.key": _NAMED, **_LIVE}, limit=limit)
        return sorted((msgspec.convert(document, Function) for document in found), key=lambda plugin: plugin.id)

    async def count_plugins(self) -> int:
        """How many plugins there are."""
        return await self._table.count({"plugin.key": _NAMED})

    async def deployed(self, app_id: int, name: str) -> Function | None:
        """The function of an app that was deployed under this name, also one that is deleted since, or None."""
        return _read(await self._table.one({"app": app_id, "deployed_as": name}))

    async def called(self, app_id: int, name: str) -> Function | None:
        """The function that is meant by a name in an app: as deployed, else its oldest of that name, else by slug."""
        found = _read(await self._table.one({"app": app_id, "deployed_as": name, **_LIVE}))
        return found or await self.oldest(app_id, name) or await self._slugged(app_id, name)

    async def oldest(self, app_id: int, name: str) -> Function | None:
        """The first function of an app that has this name and was deployed under no other, or None."""
        named = {"app": app_id, "name": name, "deployed_as": {"$in": ["", None]}, "plugin": None, **_LIVE}
        found = await self._table.many(named, order=[("id", 1)], limit=1)
        return _read(found[0]) if found else None

    async def _slugged(self, app_id: int, slug: str) -> Function | None:
        return _read(await self._table.one({"slug": slug, "app": app_id, **_LIVE})) if is_slug(slug) else None

    async def deleted_ids(self, *, limit: int) -> list[int]:
        """The ids of at most `limit` functions that are softly deleted, the newest first."""
        found = await self._table.many(DELETED, order=[("id", -1)], limit=limit, fields=["id"])
        return [document["id"] for document in found]

    async def slugs_like(self, slug: str) -> set[str]:
        """Which of `slug`, `slug-2`, `slug-3` … are taken, also by deleted ones."""
        like = {"slug": {"$regex": f"^{re.escape(slug)}(-[0-9]+)?$"}}
        found = await self._table.many(like, order=[("slug", 1)], limit=10_000, fields=["slug"])
        return {document["slug"] for document in found}

    async def next_id(self) -> int:
        """The id of a function to be."""
        return await self._store.next_id("functions")

    async def insert(self, function: Function) -> None:
        """Add a function. Raises Problem(conflict) when its slug is taken."""
        await self._table.insert(_document(function))

    def inserting(self, function: Function) -> Insert:
        """`insert`, as a part of several writes."""
        return Insert(COLLECTION, _document(function))

    def changing(self, function: Function, at: Document, values: dict[str, Any]) -> Change:
        """A change of a function as a part of several writes, where it is as `at` says: nothing else counts."""
        return Change(COLLECTION, {"id": function.id, **at, **_LIVE}, _change(values))

    async def retired(self, app_slug: str, *, limit: int) -> list[Function]:
        """Plugins of an app, in no order, that are about to be deleted and have no key any more."""
        found = await self._table.many({"app_slug": app_slug, "plugin.key": "", **DELETED}, limit=limit)
        return [msgspec.convert(document, Function) for document in found]

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

    async def retire(self, function: Function) -> Function | None:
        """Let nobody run a function any more, as it is about to be deleted; None where it is gone.

        A plugin is not found any more, but as one that is `retired`: in lists that come with all code, and that are
        sent back as they are, nothing is to stand that has none.
        """
        values = _retirement(function, datetime.now(UTC))
        return _read(await self._table.update({"id": function.id}, _change(values)))

    def retiring(self, function: Function, *, at: datetime) -> Change:
        """`retire` of a plugin, as a part of several writes."""
        key = {} if function.plugin is None else {"plugin.key": function.plugin.key}
        return self.changing(function, key, _retirement(function, at))

    async def yield_slug(self, slug: str) -> None:
        """Take a slug from a softly deleted function: it gets another one should it come back."""
        found = await self._table.one({"slug": slug, **DELETED})
        if found is not None:
            at = {"id": found["id"], "slug": slug, "revision": found["revision"], **DELETED}
            await self._table.update(at, _change({"slug": without_slug(found["id"])}))

    async def yield_slug_retired(self, slug: str) -> None:
        """Take a slug from a plugin that is `retired`: its deletion was cut short, or is under way."""
        query = {"slug": slug, "plugin.key": "", **DELETED}
        found = await self._table.one(query)
        if found is not None:
            await self._table.update({**query, "id": found["id"]}, _change({"slug": without_slug(found["id"])}))

    async def yield_name(self, app_id: int, name: str) -> None:
        """Take from a softly deleted function the name under which it was deployed: it does not come back by it."""
        at = {"app": app_id, "deployed_as": name, "plugin": None, **DELETED}
        await self._table.update(at, _change({"deployed_as": ""}))

    def yielding_name(self, function: Function) -> Change:
        """`yield_name`, as a part of several writes."""
        at = {"id": function.id, "deployed_as": function.deployed_as, **DELETED}
        return Change(COLLECTION, at, _change({"deployed_as": ""}))

    async def renew_env(self, app_id: int, *, updated_at: datetime) -> None:
        """Say of all functions of an app that their environment is another one."""
        change: Document = {"$inc": {"env_revision": 1, "revision": 1}, "$set": {"updated_at": updated_at}}
        await self._table.change_all({"app": app_id}, change)

    async def all_in(self, app_id: int) -> AsyncIterator[Named]:
        """Every function of an app, by id."""
        last: int | None = 0
        while last is not None:
            query = {"app": app_id, "id": {"$gt": last}, **_LIVE}
            found = await self._table.many(query, order=[("id", 1)], limit=_AT_ONCE, fields=Named.__struct_fields__)
            for document in found:
                yield msgspec.convert(document, Named)
            last = found[-1]["id"] if len(found) == _AT_ONCE else None

    async def delete(self, function: Function) -> None:
        """Remove a function. What belongs to it is to be removed before."""
        await self._table.delete({"id": function.id})


def without_slug(id: int) -> str:
    """What stands for the slug of a deleted function that has none any more: no slug has this form."""
    return f"deleted--{id}"


def _document(function: Function) -> Document:
    planned = {"schedule_due": 0} if function.is_scheduled else {}
    return {**msgspec.to_builtins(function, builtin_types=_BSON), **planned}


def _change(values: dict[str, Any]) -> Document:
    planned = {} if _SCHEDULED_BY.isdisjoint(values) else {"schedule_due": 0}
    return {"$set": {**values, **planned}, "$inc": {"revision": 1}}


def _retirement(function: Function, at: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"is_active": False, "active": None}
    if function.plugin is None:
        return values
    gone = {"plugin.key": "", "plugin.valves": "", "deployed_as": "", "deleted_at": at, "updated_at": at}
    return {**values, **gone}


def _read(document: Document | None) -> Function | None:
    return None if document is None else msgspec.convert(document, Function)
