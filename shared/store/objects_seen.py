"""What a source has seen in its buckets, by listing them: a row for each object, so that only what is new is told.

A row's id is made of source, bucket and key, so that the one index that there always is finds it.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.store.client import Document, Store, Table

_ROWS = "objects_seen"
_BEGINNINGS = "buckets_seen"
_AT_ONCE = 2000
_MOST_BUCKETS = 1000


class Seen(NamedTuple):
    """An object as a listing had it. `modified` is the storage's word, kept to the millisecond."""

    key: str
    etag: str
    modified: datetime
    size: int


class Beginning(NamedTuple):
    """Where a bucket's story begins: what was there before `since` is no event, until it was `listed` to its end."""

    since: datetime
    listed: bool


class ObjectsSeen:
    """One source's rows. Every call raises Problem(unavailable)."""

    def __init__(self, store: Store, *, tenant: str, source_id: int) -> None:
        self._store = store
        self._root = f"{tenant}/{source_id}/"
        self._tenant = tenant
        self._source_id = source_id
        self._rows: Table = store.table(_ROWS, tenant)
        self._buckets: Table = store.table(_BEGINNINGS, tenant)

    async def begin(self, buckets: Sequence[str], *, prefix: str, made: datetime, changed: datetime) -> None:
        """Note where each bucket's story begins: with the source, or with the change of it that named the bucket."""
        found = await self._buckets.many(self._buckets_of(), limit=_MOST_BUCKETS)
        known = {document["bucket"]: document for document in found}
        since = changed if known else made
        for bucket in buckets:
            if bucket in known and known[bucket]["prefix"] == prefix:
                continue
            place = {"source_id": self._source_id, "bucket": bucket}
            values: Document = {"prefix": prefix, "since": since, "listed": False}
            await self._buckets.update({"_id": f"{self._root}{bucket}"}, {"$set": place | values}, upsert=True)
        for bucket in known.keys() - set(buckets):
            await self.forget(bucket)

    async def beginning(self, bucket: str) -> Beginning | None:
        """What `begin` noted, None where somebody has forgotten the source since."""
        found = await self._buckets.one({"_id": f"{self._root}{bucket}"})
        return None if found is None else Beginning(found["since"], found["listed"])

    async def listed(self, bucket: str) -> None:
        """The bucket was listed to its end: what a listing has from now on and we have not, is new."""
        await self._buckets.update({"_id": f"{self._root}{bucket}"}, {"$set": {"listed": True}})

    async def known(self, bucket: str, keys: Sequence[str]) -> Mapping[str, Seen]:
        """The rows of those of the keys that have one. In no order: not every storage lists by the alphabet."""
        start = f"{self._root}{bucket}/"
        query = {"_id": {"$in": [start + key for key in keys]}}
        found = await self._rows.many(query, limit=len(keys), fields=["etag", "modified", "size"]) if keys else []
        rows = (Seen(row["_id"][len(start) :], row["etag"], row["modified"], row["size"]) for row in found)
        return {row.key: row for row in rows}

    async def enter(self, bucket: str, rows: Sequence[Seen], known: Mapping[str, Seen], *, listing: int) -> None:
        """Write rows down. One that is not as it is `known` any more stays as it is: somebody was faster."""
        new: list[Document] = []
        changes: list[tuple[Document, Document]] = []
        for row in rows:
            values: Document = {"etag": row.etag, "modified": row.modified, "size": row.size, "listing": listing}
            place: Document = {"_id": f"{self._root}{bucket}/{row.key}", "tenant": self._tenant}
            former = known.get(row.key)
            if former is None:
                new.append(place | values)
            else:
                changes.append((place | {"etag": former.etag, "modified": former.modified}, {"$set": values}))
        await self._store.add_new(_ROWS, new)
        await self._store.change_many(_ROWS, changes)

    async def count(self, bucket: str) -> int:
        """How many rows a bucket has."""
        return await self._store.global_count(_ROWS, self._within(bucket))

    async def mark(self, bucket: str, keys: Sequence[str], *, listing: int) -> None:
        """These were in the listing with this number."""
        start = f"{self._root}{bucket}/"
        await self._rows.set_all({"_id": {"$in": [start + key for key in keys]}}, {"listing": listing})

    async def forget_unmarked(self, bucket: str, *, listing: int) -> int:
        """Remove the rows of what was not in the listing with this number; how many they were."""
        return await self._forget(bucket, {"listing": {"$ne": listing}})

    async def forget(self, bucket: str) -> None:
        """Remove everything of a bucket."""
        await self._forget(bucket, {})
        await self._buckets.delete({"_id": f"{self._root}{bucket}"})

    async def forget_all(self) -> None:
        """Remove everything of the source, which is gone."""
        while found := await self._buckets.many(self._buckets_of(), limit=_MOST_BUCKETS):
            for document in found:
                await self.forget(document["bucket"])

    async def _forget(self, bucket: str, query: Document) -> int:
        """Each row is looked at once, however many there are."""
        place, removed = self._within(bucket)["_id"], 0
        while True:
            found = await self._rows.many({"_id": place, **query}, order=[("_id", 1)], limit=_AT_ONCE, fields=["_id"])
            if not found:
                return removed
            removed += await self._rows.delete({"_id": {"$in": [row["_id"] for row in found]}})
            place = {**place, "$gt": found[-1]["_id"]}

    def _buckets_of(self) -> Document:
        return {"_id": {"$gte": self._root, "$lt": f"{self._root[:-1]}0"}}  # 0 comes right behind /

    def _within(self, bucket: str) -> Document:
        start = f"{self._root}{bucket}"
        return {"_id": {"$gte": f"{start}/", "$lt": f"{start}0"}}


async def seen_by(store: Store) -> AsyncIterator[tuple[str, int]]:
    """Tenant and id of every source that has seen anything, some of them several times. Raises Problem(unavailable)."""
    after = ""
    while found := await store.global_many(
        _BEGINNINGS, {"_id": {"$gt": after}}, order=[("_id", 1)], limit=_MOST_BUCKETS, fields=["tenant", "source_id"]
    ):
        for document in found:
            yield document["tenant"], document["source_id"]
        after = found[-1]["_id"]
