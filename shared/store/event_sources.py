"""Event sources, in the store. What its owner says of one is written apart from its settings, at the same revision."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from shared.domain.event_source import EventSource
from shared.store.client import Document, Store, Table

COLLECTION = "event_sources"  # "sources" are those of code
_BSON = (datetime,)
_AT_ONCE = 500
_KEPT_APART = ("id", "tenant", "public_id", "status", "created_at")  # what a change of settings does not touch

Key = tuple[str, int]
"""Tenant and id of a source."""


class Said(NamedTuple):
    """What an owner says of a source: `values` of its SourceStatus, and how many more events there were.

    With `owner` it is only for as long as the source is that one's.
    """

    key: Key
    values: dict[str, Any]
    events: int = 0
    last_event_at: datetime | None = None
    owner: str = ""


class EventSources:
    """One tenant's sources."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table(COLLECTION, tenant)

    async def by_name(self, name: str) -> EventSource | None:
        """The source of this name, or None."""
        return _read(await self._table.one({"name": name}))

    async def listed(self, *, limit: int, skip: int) -> list[EventSource]:
        """At most so many, by name."""
        found = await self._table.many({}, order=[("name", 1)], limit=limit, skip=skip)
        return [msgspec.convert(document, EventSource) for document in found]

    async def count(self) -> int:
        """How many there are."""
        return await self._table.count({})

    async def insert(self, source: EventSource) -> None:
        """Add one. Raises Problem(conflict) when its name is taken."""
        await self._table.insert(msgspec.to_builtins(source, builtin_types=_BSON))

    async def replace(self, source: EventSource) -> EventSource | None:
        """Set it to this, all but its status; None where somebody has changed it since the revision before was read."""
        query = {"id": source.id, "revision": source.revision - 1}
        values = msgspec.to_builtins(source, builtin_types=_BSON)
        for field in _KEPT_APART:
            del values[field]
        return _read(await self._table.update(query, {"$set": values}))

    async def delete(self, name: str) -> EventSource | None:
        """Remove it; what it was, or None."""
        return _read(await self._table.take({"name": name}))


async def find(store: Store, key: Key) -> EventSource | None:
    """The source, or None."""
    tenant, id = key
    return _read(await store.table(COLLECTION, tenant).one({"id": id}))


async def find_public(store: Store, public_id: str) -> EventSource | None:
    """The source of this public id, whoever's it is, or None."""
    return _read(await store.global_one(COLLECTION, {"public_id": public_id}))


async def all_enabled(store: Store) -> AsyncIterator[EventSource]:
    """Every enabled source of all tenants."""
    query: Document = {"enabled": True}
    while True:
        found = await store.global_many(COLLECTION, query, order=[("_id", 1)], limit=_AT_ONCE)
        for document in found:
            yield msgspec.convert(document, EventSource)
        if len(found) < _AT_ONCE:
            return
        query = {"enabled": True, "_id": {"$gt": found[-1]["_id"]}}


async def say(store: Store, said: Iterable[Said]) -> None:
    """Write down how sources do. One that is gone is left out."""
    await store.change_many(COLLECTION, [(_whose(one), _change(one)) for one in said])


def _whose(said: Said) -> Document:
    tenant, id = said.key
    return {"tenant": tenant, "id": id, **({"status.owner": said.owner} if said.owner else {})}


def _change(said: Said) -> Document:
    values = {f"status.{field}": value for field, value in said.values.items()}
    change: Document = {"$set": values} if values else {}
    if said.events:
        change["$inc"] = {"status.events": said.events}
    if said.last_event_at is not None:
        change["$max"] = {"status.last_event_at": said.last_event_at}
    return change


def _read(document: Document | None) -> EventSource | None:
    return None if document is None else msgspec.convert(document, EventSource)
