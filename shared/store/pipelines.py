"""Pipelines, in the store."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.domain.pipeline import Pipeline
from shared.store.client import Document, Store, Table

_BSON = (datetime,)


class Pipelines:
    """One tenant's pipelines."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table("pipelines", tenant)

    async def by_name(self, name: str) -> Pipeline | None:
        """The pipeline of this name, or None."""
        return _read(await self._table.one({"name": name}))

    async def listed(self, *, limit: int, skip: int) -> Sequence[Pipeline]:
        """At most so many, by name."""
        found = await self._table.many({}, order=[("name", 1)], limit=limit, skip=skip)
        return [msgspec.convert(document, Pipeline) for document in found]

    async def count(self) -> int:
        """How many there are."""
        return await self._table.count({})

    async def insert(self, pipeline: Pipeline) -> None:
        """Add one. Raises Problem(conflict) when its name is taken."""
        await self._table.insert(msgspec.to_builtins(pipeline, builtin_types=_BSON))

    async def replace(self, pipeline: Pipeline) -> bool:
        """Set it to this, unless somebody has changed it since the revision before was read: then False."""
        query = {"name": pipeline.name, "revision": pipeline.revision - 1}
        values = msgspec.to_builtins(pipeline, builtin_types=_BSON)
        return await self._table.update(query, {"$set": values}) is not None

    async def delete(self, name: str) -> bool:
        """Remove it; whether it was there."""
        return await self._table.delete({"name": name}) > 0


def _read(document: Document | None) -> Pipeline | None:
    return None if document is None else msgspec.convert(document, Pipeline)
