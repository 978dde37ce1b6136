"""The store: MongoDB behind one file. The driver is imported here and nowhere else.

A `Table` is a collection seen by one tenant: the tenant is added to every query and document, so an unscoped query
cannot be written. The driver's exceptions become Problems here: a store that is away is `unavailable`, a taken key a
`conflict`.

Every call has a deadline from the moment it is made. Motor runs the driver in a few threads; a call that was queued
for one past its deadline gives up as soon as it gets it, so that a store that is away holds up nobody for longer.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pymongo
from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import IndexModel, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, ConnectionFailure, DuplicateKeyError, OperationFailure, PyMongoError

from shared.domain.problem import Problem

Document = dict[str, Any]
Order = Sequence[tuple[str, int]]

MAX_ID = 2**63 - 1
"""The largest whole number that is kept, and that can be asked for."""

_DUPLICATE_KEY = 11000
# A key is taken; a document is locked, or was changed, by others; the transaction was ended by the server.
_LOST = frozenset({_DUPLICATE_KEY, 24, 112, 251})
_NO_INDEX = frozenset({26, 27})  # no such collection, no such index: another service may have been faster
# The server is on its way down, or another one is becoming primary; the driver has tried once more already.
_PASSING = frozenset({6, 7, 64, 89, 91, 112, 134, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436})
AWAY = "The database is not reachable; try again in a moment"

_LONGER = 4  # times `timeout_s`, for a write of thousands of documents, and for an index
_SOON_S = 0.001  # for what was queued up to its deadline: to give up at once
_NET_S = 0.5  # past its deadline a call is given up even if the driver has not noticed


class Upsert(NamedTuple):
    """One idempotent write: change the document that matches, or insert it.

    `document`, where it is given, is what an insert would make of it: tried first, for half the cost.
    """

    query: Document
    change: Document
    document: Document | None = None


class Batch(NamedTuple):
    """Writes of one collection: changes, each a query and what becomes of what it finds, and then new documents."""

    collection: str
    changes: Sequence[tuple[Document, Document]]
    inserts: Sequence[Document]


@asynccontextmanager
async def _within(timeout_s: float) -> AsyncIterator[None]:
    """One call on the server, with its deadline, and what it may raise mapped to Problems."""
    try:
        with pymongo.timeout(timeout_s):
            async with asyncio.timeout(timeout_s + _NET_S):
                yield
    except DuplicateKeyError as error:
        raise Problem("conflict", "Such an entry exists already") from error
    except (TimeoutError, ConnectionFailure) as error:
        raise Problem("unavailable", AWAY) from error
    except OperationFailure as error:
        if error.code not in _PASSING and not error.timeout:
            raise  # what we asked was wrong: a bug of ours
        raise Problem("unavailable", AWAY) from error
    except PyMongoError as error:
        if not error.timeout:
            raise
        raise Problem("unavailable", AWAY) from error


class Table:
    """One collection, seen by one tenant. Documents go in and come out without the `tenant` being asked for."""

    def __init__(self, collection: AsyncIOMotorCollection[Document], tenant: str, *, timeout_s: float) -> None:
        self._collection = collection
        self._tenant = {"tenant": tenant}
        self._timeout_s = timeout_s

    async def one(self, query: Document, *, fields: Sequence[str] = ()) -> Document | None:
        """The document that matches, or None."""
        async with _within(self._timeout_s):
            return await self._collection.find_one({**query, **self._tenant}, list(fields) or None)

    async def many(
        self,
        query: Document,
        *,
        order: Order = (),
        limit: int,
        skip: int = 0,
        fields: Sequence[str] = (),
        hint: str | None = None,
    ) -> list[Document]:
        """At most `limit` matching documents in the given order, or as they come; by the index named in `hint`."""
        async with _within(self._timeout_s):
            cursor = self._collection.find({**query, **self._tenant}, list(fields) or None, skip=skip, limit=limit)
            if hint is not None:
                cursor = cursor.hint(hint)
            return await (cursor.sort(list(order)) if order else cursor).to_list(length=limit)

    async def many_until(
        self,
        query: Document,
        *,
        order: Order,
        limit: int,
        fields: Sequence[str],
        hint: str,
        at_once: int,
        enough: Callable[[Document], bool],
    ) -> list[Document]:
        """`many`, fetched `at_once`, up to the one at which it is `enough`: that one is the last."""
        found: list[Document] = []
        async with _within(self._timeout_s):
            cursor = self._collection.find({**query, **self._tenant}, list(fields), limit=limit, batch_size=at_once)
            try:
                async for document in cursor.hint(hint).sort(list(order)):
                    found.append(document)
                    if enough(document):
                        break
            finally:
                await cursor.close()
        return found

    async def plan(self, query: Document, *, order: Order, limit: int, hint: str) -> Document:
        """How the server finds the documents, and what it looks at for that: for tests of the indexes."""
        async with _within(self._timeout_s):
            cursor = self._collection.find({**query, **self._tenant}, limit=limit).hint(hint).sort(list(order))
            plan: Document = await cursor.explain()
            return plan

    async def count(self, query: Document, *, most: int = 0, hint: str | None = None) -> int:
        """How many documents match; no more than `most` are counted, 0 for all. By the index named in `hint`."""
        options: dict[str, Any] = ({"limit": most} if most else {}) | ({"hint": hint} if hint else {})
        async with _within(self._timeout_s):
            return await self._collection.count_documents({**query, **self._tenant}, **options)

    async def insert(self, document: Document) -> None:
        """Add a document. Raises Problem(conflict) when a unique key is taken."""
        async with _within(self._timeout_s):
            await self._collection.insert_one({**document, **self._tenant})

    async def update(
        self, query: Document, change: Document | list[Document], *, upsert: bool = False
    ) -> Document | None:
        """Change the one document that matches; what it is afterwards, or None when there is none."""
        async with _within(self._timeout_s):
            return await self._collection.find_one_and_update(
                {**query, **self._tenant}, change, upsert=upsert, return_document=ReturnDocument.AFTER
            )

    async def set_all(self, query: Document, values: Document) -> None:
        """Set fields of all that match."""
        async with _within(self._timeout_s):
            await self._collection.update_many({**query, **self._tenant}, {"$set": values})

    async def change_all(self, query: Document, change: Document) -> None:
        """Change all that match."""
        async with _within(self._timeout_s * _LONGER):
            await self._collection.update_many({**query, **self._tenant}, change)

    async def take(self, query: Document) -> Document | None:
        """Remove the one document that matches; what it was, or None when there is none."""
        async with _within(self._timeout_s):
            return await self._collection.find_one_and_delete({**query, **self._tenant})

    async def delete_some(self, query: Document, *, most: int) -> int:
        """Remove at most so many that match: many millions are removed by repeating it. How many they were."""
        found = await self.many(query, limit=most, fields=["_id"])
        return await self.delete({"_id": {"$in": [document["_id"] for document in found]}}) if found else 0

    async def delete(self, query: Document) -> int:
        """Remove all that match; how many they were."""
        async with _within(self._timeout_s):
            return (await self._collection.delete_many({**query, **self._tenant})).deleted_count


class Store:
    """An open connection to the database. Every call is bounded by `timeout_s`, a write of many by four times that."""

    def __init__(self, url: str, *, database: str, timeout_s: float = 5.0) -> None:
        timeout_ms = int(timeout_s * 1000)
        self._timeout_s = timeout_s
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=timeout_ms,
            connectTimeoutMS=timeout_ms,
            socketTimeoutMS=timeout_ms * _LONGER,
            waitQueueTimeoutMS=timeout_ms,
            maxPoolSize=32,
            w="majority",
            journal=True,
            appname="shoal",
        )
        self._database: AsyncIOMotorDatabase[Document] = self._client.get_database(
            database, codec_options=CodecOptions(tz_aware=True)
        )

    def table(self, collection: str, tenant: str) -> Table:
        """The collection as this tenant sees it."""
        return Table(self._database[collection], tenant, timeout_s=self._timeout_s)

    async def next_id(self, name: str) -> int:
        """The next whole number of a named sequence, from 1, never given twice."""
        async with _within(self._timeout_s):
            counter = await self._database["counters"].find_one_and_update(
                {"_id": name}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return int(counter["value"])

    async def highest(self, collection: str, field: str) -> int:
        """The highest value of a number field over all tenants, by an index on tenant and field; 0 where none is."""
        async with _within(self._timeout_s):
            found = [
                await self._database[collection].find_one({"tenant": tenant}, [field], sort=[(field, -1)])
                for tenant in await self._database[collection].distinct("tenant")
            ]
        return max((int(document[field]) for document in found if document), default=0)

    async def global_one(self, collection: str, query: Document) -> Document | None:
        """A document of a collection that stands above the tenants, such as the tokens that say who a caller is."""
        async with _within(self._timeout_s):
            return await self._database[collection].find_one(query)

    async def global_many(
        self, collection: str, query: Document, *, order: Order = (), limit: int, fields: Sequence[str] = ()
    ) -> list[Document]:
        """At most `limit` documents of a collection that stands above the tenants."""
        async with _within(self._timeout_s * _LONGER):
            cursor = self._database[collection].find(query, list(fields) or None, limit=limit)
            return await (cursor.sort(list(order)) if order else cursor).to_list(length=limit)

    async def global_distinct(self, collection: str, field: str, query: Document) -> list[Any]:
        """The values that a field has in the documents that match, of all tenants."""
        async with _within(self._timeout_s * _LONGER):
            return await self._database[collection].distinct(field, query)

    async def global_insert(self, collection: str, document: Document) -> None:
        """Add a document to a collection that stands above the tenants. Raises Problem(conflict)."""
        async with _within(self._timeout_s):
            await self._database[collection].insert_one(document)

    async def global_count(self, collection: str, query: Document) -> int:
        """How many documents of all tenants match."""
        async with _within(self._timeout_s):
            return await self._database[collection].count_documents(query)

    async def global_upsert(self, collection: str, query: Document, change: Document | list[Document]) -> None:
        """Write a document of a collection that stands above the tenants."""
        async with _within(self._timeout_s):
            await self._database[collection].update_one(query, change, upsert=True)

    async def global_delete(self, collection: str, query: Document) -> int:
        """Remove all that match from a collection that stands above the tenants; how many they were."""
        async with _within(self._timeout_s):
            return (await self._database[collection].delete_many(query)).deleted_count

    async def global_claim(self, collection: str, query: Document, change: list[Document]) -> Document:
        """Change the document that matches, or insert it; what it is then."""
        async with _within(self._timeout_s):
            return await self._database[collection].find_one_and_update(
                query, change, upsert=True, return_document=ReturnDocument.AFTER
            )

    async def global_change(self, collection: str, query: Document, change: Document | list[Document]) -> bool:
        """Change the document that matches; False when there is none."""
        async with _within(self._timeout_s):
            return (await self._database[collection].update_one(query, change)).matched_count > 0

    async def write_many(self, collection: str, writes: Sequence[Upsert]) -> list[int]:
        """Many upserts in one go, in no order. The positions that met a taken key: theirs was written before."""
        operations = [
            InsertOne(w.document) if w.document else UpdateOne(w.query, w.change, upsert=True) for w in writes
        ]
        taken = await self._bulk(collection, operations)
        again = [position for position in taken if writes[position].document]
        if not again:
            return taken
        upserts = [UpdateOne(writes[position].query, writes[position].change, upsert=True) for position in again]
        repeated = {again[position] for position in await self._bulk(collection, upserts)}
        return [position for position in taken if position in repeated or not writes[position].document]

    async def add_new(self, collection: str, documents: Sequence[Document]) -> None:
        """Add those of the documents whose key is not taken yet, in no order."""
        if documents:
            await self._bulk(collection, [InsertOne(document) for document in documents])

    async def change_many(self, collection: str, changes: Sequence[tuple[Document, Document]]) -> int:
        """Many changes of existing documents in one go, in no order; how many of them found theirs."""
        if not changes:
            return 0
        operations = [UpdateOne(query, change) for query, change in changes]
        async with _within(self._timeout_s * _LONGER):
            return (await self._database[collection].bulk_write(operations, ordered=False)).matched_count

    async def write_together(self, batches: Sequence[Batch]) -> bool:
        """All of it in one transaction; or False and none of it: one found nothing, or others wrote the same."""
        # In one thread from its first word to its last: whoever is cancelled meanwhile leaves nothing half open.
        until_s = time.monotonic() + self._timeout_s * _LONGER
        async with _within(self._timeout_s * _LONGER):
            return await asyncio.to_thread(self._write_together, batches, until_s)

    def _write_together(self, batches: Sequence[Batch], until_s: float) -> bool:
        database = self._database.delegate
        try:
            # What fails is ended with its session, and that is not to be cut short by the deadline that it has met.
            with (
                pymongo.timeout(None),
                self._client.delegate.start_session() as session,
                pymongo.timeout(max(until_s - time.monotonic(), _SOON_S)),
            ):
                session.start_transaction()
                for collection, changes, inserts in batches:
                    writes = [*(UpdateOne(*change) for change in changes), *map(InsertOne, inserts)]
                    if database[collection].bulk_write(writes, session=session).matched_count < len(changes):
                        return False
                session.commit_transaction()
        except OperationFailure as error:
            faults = error.details.get("writeErrors", []) if isinstance(error, BulkWriteError) else []
            if _LOST.isdisjoint({error.code, *(fault["code"] for fault in faults)}):
                raise
            return False
        return True

    async def _bulk(self, collection: str, operations: Sequence[UpdateOne | InsertOne[Document]]) -> list[int]:
        """The positions whose key was taken. Raises what the driver does for a document that can never be written."""
        async with _within(self._timeout_s * _LONGER):
            try:
                await self._database[collection].bulk_write(operations, ordered=False)
            except BulkWriteError as error:
                faults = error.details["writeErrors"]
                if error.details.get("writeConcernErrors") or any(fault["code"] in _PASSING for fault in faults):
                    # Written perhaps, but not safe yet: nothing is wrong with the documents.
                    raise Problem("unavailable", AWAY) from error
                if any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                    raise
                return [fault["index"] for fault in faults]
        return []

    async def ensure_index(
        self,
        collection: str,
        keys: Order,
        *,
        unique: bool = False,
        name: str,
        expires: bool = False,
        sparse: bool = False,
        only: Document | None = None,
    ) -> None:
        """Create an index unless it is there. With `expires` a document goes when the date in its key has come.

        With `sparse` it has only the documents that have the field, with `only` those that match it.

        The server is told no deadline, or it would throw away what it has built by then: so it goes on building.
        """
        options: dict[str, Any] = {"unique": unique, "name": name}
        options |= {"partialFilterExpression": only} if only else {"sparse": sparse}
        options |= {"expireAfterSeconds": 0} if expires else {}
        async with _within(self._timeout_s * (_LONGER + 1)):
            with pymongo.timeout(None):
                await self._database[collection].create_indexes([IndexModel(list(keys), **options)])

    async def drop_index(self, collection: str, name: str) -> None:
        """Remove an index that is not needed any more; nothing happens where there is none."""
        async with _within(self._timeout_s):
            try:
                await self._database[collection].drop_index(name)
            except OperationFailure as error:
                if error.code not in _NO_INDEX:
                    raise

    async def ping(self) -> bool:
        """Whether the database answers now."""
        try:
            async with _within(self._timeout_s):
                await self._client.admin.command("ping")
        except (Problem, PyMongoError):
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
