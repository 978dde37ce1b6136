"""Apps, in the store: named groups of functions of one tenant."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.app import RESERVED_APPS, App, public_id
from shared.domain.function import is_slug
from shared.domain.problem import Problem
from shared.store.client import Document, Store
from shared.store.transactions import Change

COLLECTION = "apps"
_AT_ONCE = 1000


class Apps:
    """One tenant's apps."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._table = store.table(COLLECTION, tenant)
        self._functions = store.table("functions", tenant)

    async def add(self, slug: str, *, name: str) -> App:
        """A new app. Raises Problem(invalid) when the slug cannot be, or is taken."""
        if not is_slug(slug):
            raise _wrong("slug must be 1 to 100 characters: words of a-z and 0-9, joined by -")
        if slug in RESERVED_APPS:
            raise _wrong(f"slug '{slug}' is reserved; choose another one")
        id = await self._store.next_id("apps")
        named = {"slug": slug, "name": name, "public_id": public_id(self._tenant, id)}
        try:
            await self._table.insert({"id": id, **named, "created_at": datetime.now(UTC)})
        except Problem as problem:
            if problem.code != "conflict":
                raise
            raise _wrong(f"An app with slug '{slug}' exists already") from None
        return await self.named(slug)

    async def keep(self, slug: str, *, name: str) -> App:
        """The app of that slug, made with this name where there is none. Raises Problem(invalid)."""
        found = await self.find(slug)
        if found is not None:
            return found
        try:
            return await self.add(slug, name=name)
        except Problem as problem:
            found = await self.find(slug) if problem.code == "invalid" else None
            if found is None:
                raise
            return found  # somebody made it a moment ago

    async def find(self, slug: str) -> App | None:
        """The app, or None."""
        return _read(await self._table.one({"slug": slug}))

    async def named(self, slug: str) -> App:
        """The app. Raises Problem(not_found)."""
        found = await self.find(slug)
        if found is None:
            raise _missing(slug)
        return found

    async def listed(self, *, limit: int, skip: int = 0) -> list[App]:
        """At most `limit` apps, the newest first."""
        found = await self._table.many({}, order=[("id", -1)], limit=limit, skip=skip)
        return [msgspec.convert(document, App) for document in found]

    async def count(self) -> int:
        """How many there are."""
        return await self._table.count({})

    async def rename(self, slug: str, name: str) -> App:
        """Another name, which its functions then show. Raises Problem(not_found)."""
        renamed = _read(await self._table.update({"slug": slug}, {"$set": {"name": name}}))
        if renamed is None:
            raise _missing(slug)
        await self._functions.set_all({"app_slug": slug}, {"app_name": name})
        return renamed

    async def change_at(self, app: App, values: dict[str, Any]) -> App | None:
        """Set fields, unless somebody else has changed the app since it was read: then nothing happens, and None."""
        return _read(await self._table.update(_at(app), {"$set": {**values, "revision": app.revision + 1}}))

    def touching(self, app: App) -> Change:
        """A change of nothing but the revision, as a part of several writes: of two who touch an app one comes last."""
        return Change(COLLECTION, _at(app), {"$set": {"revision": app.revision + 1}})

    async def by_id(self, id: int) -> App | None:
        """The app with this number, or None."""
        return _read(await self._table.one({"id": id}))

    async def delete(self, slug: str) -> None:
        """Remove an app that has no functions. Raises Problem(not_found, conflict)."""
        await self.named(slug)
        if await self._functions.count({"app_slug": slug, "deleted_at": None}, most=1):
            raise Problem("conflict", f"App '{slug}' has functions; delete or move them first")
        if await self._table.take({"slug": slug}) is None:
            raise _missing(slug)


async def find_public(store: Store, id: str) -> App | None:
    """The app of this public id, whoever's it is, or None."""
    return _read(await store.global_one(COLLECTION, {"public_id": id}))


async def name_all(store: Store) -> None:
    """Give those apps their public ids that were made before there were any."""
    nameless = {"public_id": {"$exists": False}}
    while found := await store.global_many(COLLECTION, nameless, limit=_AT_ONCE):
        for app in found:
            named = {"public_id": public_id(app["tenant"], app["id"])}
            await store.global_change(COLLECTION, {"_id": app["_id"]}, {"$set": named})


def _at(app: App) -> Document:
    """What finds the app as it was read."""
    return {"id": app.id, "revision": app.revision if app.revision > 1 else {"$in": [1, None]}}


def _read(document: Document | None) -> App | None:
    return None if document is None else msgspec.convert(document, App)


def _missing(slug: str) -> Problem:
    return Problem("not_found", f"App with slug '{slug}' not found")


def _wrong(message: str) -> Problem:
    return Problem("invalid", message, {"slug": message})
