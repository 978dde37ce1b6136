"""Code versions, and the sources and artefacts they name by hash."""

from datetime import datetime

import msgspec

from shared.domain.version import CodeVersion
from shared.store.client import Document, Store, Table

_BSON = (datetime, bytes)  # what the driver takes as it is


class Source(msgspec.Struct, frozen=True):
    """A stored source. `artefact` is what the compiler named `compiler` made of it; empty until it has."""

    code_hash: str
    source: str
    compiler: str = ""
    artefact: bytes = b""


class Versions:
    """One tenant's code versions and sources."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._table: Table = store.table("versions", tenant)
        self._sources: Table = store.table("sources", tenant)

    async def next_id(self) -> int:
        """The id of a version to be."""
        return await self._store.next_id("versions")

    async def by_id(self, id: int) -> CodeVersion | None:
        """The version with this id, or None."""
        return _read(await self._table.one({"id": id}))

    async def of(self, function_id: int | None, *, limit: int, skip: int = 0) -> list[CodeVersion]:
        """A function's versions, or with None those of all functions, the newest first."""
        found = await self._table.many(_of(function_id), order=[("id", -1)], limit=limit, skip=skip)
        return [msgspec.convert(document, CodeVersion) for document in found]

    async def count(self, function_id: int | None) -> int:
        """How many versions a function has, or with None all functions together."""
        return await self._table.count(_of(function_id))

    async def insert(self, version: CodeVersion) -> None:
        """Add a version. Raises Problem(conflict) when the function has one of that name."""
        await self._table.insert(msgspec.to_builtins(version, builtin_types=_BSON))

    async def replace_code(self, id: int, code_hash: str) -> None:
        """Let a version name other code."""
        await self._table.update({"id": id}, {"$set": {"code_hash": code_hash}})

    async def keep_source(self, code_hash: str, source: str) -> None:
        """Store a source under its hash; nothing happens when it is there."""
        await self._sources.update({"code_hash": code_hash}, {"$setOnInsert": {"source": source}}, upsert=True)

    async def keep_artefact(self, code_hash: str, *, compiler: str, artefact: bytes) -> None:
        """Store what a compiler made of a source."""
        await self._sources.update({"code_hash": code_hash}, {"$set": {"compiler": compiler, "artefact": artefact}})

    async def source(self, code_hash: str) -> Source | None:
        """The stored source, with its artefact."""
        found = await self._sources.one({"code_hash": code_hash})
        return None if found is None else msgspec.convert(found, Source)


def _of(function_id: int | None) -> Document:
    return {} if function_id is None else {"function_id": function_id}


def _read(document: Document | None) -> CodeVersion | None:
    return None if document is None else msgspec.convert(document, CodeVersion)
