"""Code versions, and the sources and artefacts they name by hash."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from shared.domain.version import CodeVersion
from shared.store.client import Document, Store, Table
from shared.store.transactions import Insert

COLLECTION = "versions"
_BSON = (datetime, bytes)  # what the driver takes as it is
_FORMER = 20  # codes of a version, before its present one, that are kept for what is still under way
_AT_ONCE = 100
_TEXTS_AT_ONCE = 10  # sources of up to 4 MiB each


class AllBut(NamedTuple):
    """All functions but those with these ids."""

    ids: Collection[int]


Functions = int | Collection[int] | AllBut
"""Whose versions: the id of a function, those of several, or all but some."""


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
        self._table: Table = store.table(COLLECTION, tenant)
        self._sources: Table = store.table("sources", tenant)

    async def next_id(self) -> int:
        """The id of a version to be."""
        return await self._store.next_id("versions")

    async def by_id(self, id: int) -> CodeVersion | None:
        """The version with this id, or None."""
        return _read(await self._table.one({"id": id}))

    async def of(self, functions: Functions, *, limit: int, skip: int = 0) -> list[CodeVersion]:
        """A function's versions, or those of several, or of all but some, the newest first."""
        found = await self._table.many(_of(functions), order=[("id", -1)], limit=limit, skip=skip)
        return [msgspec.convert(document, CodeVersion) for document in found]

    async def count(self, functions: Functions) -> int:
        """How many versions a function has, or several, or all but some together."""
        return await self._table.count(_of(functions))

    async def insert(self, version: CodeVersion) -> None:
        """Add a version. Raises Problem(conflict) when the function has one of that name."""
        await self._table.insert(msgspec.to_builtins(version, builtin_types=_BSON))

    async def say(self, id: int, message: str) -> None:
        """Let this be what is said of a version."""
        await self._table.update({"id": id}, {"$set": {"message": message}})

    def inserting(self, version: CodeVersion) -> Insert:
        """`insert`, as a part of several writes."""
        return Insert(COLLECTION, msgspec.to_builtins(version, builtin_types=_BSON))

    async def replace_code(self, id: int, code_hash: str) -> None:
        """Let a version name other code; what it named before is kept for a while, for what was dispatched with it."""
        former = {"$concatArrays": [{"$ifNull": ["$former", []]}, ["$code_hash"]]}
        changed = await self._table.update({"id": id}, [{"$set": {"former": former, "code_hash": code_hash}}])
        if changed is not None and (gone := changed["former"][:-_FORMER]):
            await self._table.update({"id": id}, {"$pull": {"former": {"$in": gone}}})
            await self.drop_sources(gone)

    async def delete_of(self, function_id: int) -> None:
        """Remove a function's versions, with the sources that no other version names."""
        while found := await self._table.many({"function_id": function_id}, limit=_AT_ONCE):
            ids = [document["id"] for document in found]
            hashes = {digest for document in found for digest in (document["code_hash"], *document.get("former", ()))}
            # The versions last: should we be cut short, the next try finds the names of the sources here.
            await self.drop_sources(hashes, but_for=ids)
            await self._table.delete({"id": {"$in": ids}})
            await self.drop_sources(hashes)  # what was stored once more for a version that went with these

    async def drop(self, id: int) -> None:
        """Remove a version that nothing names; its source stays."""
        await self._table.delete({"id": id})

    async def keep_source(self, code_hash: str, source: str) -> None:
        """Store a source under its hash; nothing happens when it is there."""
        await self._sources.update({"code_hash": code_hash}, {"$setOnInsert": {"source": source}}, upsert=True)

    async def keep_artefact(self, code_hash: str, *, compiler: str, artefact: bytes) -> None:
        """Store what a compiler made of a source."""
        await self._sources.update({"code_hash": code_hash}, {"$set": {"compiler": compiler, "artefact": artefact}})

    async def drop_sources(self, hashes: Iterable[str], *, but_for: Sequence[int] = ()) -> None:
        """Remove those of the sources that no version names, not counting the versions with the ids `but_for`.

        A version may be added while we look: so we look again after it is gone, and whoever adds one stores the source
        once more afterwards. One of the two comes last.
        """
        for digest in hashes:
            named = {"$or": [{"code_hash": digest}, {"former": digest}], "id": {"$nin": list(but_for)}}
            if await self._table.count(named):
                continue
            source = await self._sources.take({"code_hash": digest})
            if source is not None and await self._table.count(named):
                await self.keep_source(digest, source["source"])

    async def source(self, code_hash: str) -> Source | None:
        """The stored source, with its artefact."""
        found = await self._sources.one({"code_hash": code_hash})
        return None if found is None else msgspec.convert(found, Source)

    async def texts(self, hashes: Iterable[str], *, most_bytes: int) -> dict[str, str] | None:
        """The sources that are there, by hash; None where they are longer together than so many bytes.

        One whose hash is named several times counts as often.
        """
        times, found, size = Counter(hashes), {}, 0
        wanted = sorted(times)
        for start in range(0, len(wanted), _TEXTS_AT_ONCE):
            batch = wanted[start : start + _TEXTS_AT_ONCE]
            fields = ["code_hash", "source"]
            for document in await self._sources.many({"code_hash": {"$in": batch}}, limit=len(batch), fields=fields):
                found[document["code_hash"]] = document["source"]
                size += len(document["source"].encode()) * times[document["code_hash"]]
            if size > most_bytes:
                return None
        return found


def _of(functions: Functions) -> Document:
    if isinstance(functions, AllBut):
        return {"function_id": {"$nin": list(functions.ids)}} if functions.ids else {}
    return {"function_id": functions if isinstance(functions, int) else {"$in": list(functions)}}


def _read(document: Document | None) -> CodeVersion | None:
    return None if document is None else msgspec.convert(document, CodeVersion)
