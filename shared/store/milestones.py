"""Milestones in long lists of invocations: the id of every so many-th record that a filter matches, from the oldest.

They make counting and far pages cheap: what lies before a milestone need not be walked again. A deletion begins a new
generation, for which all is to be walked anew: what is still being written for the former one harms nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.store import tenants
from shared.store.client import Store, Table, Upsert

COLLECTION = "milestones"
_GENERATIONS = "milestone_generations"
_OUTDATED = "outdated_at"
_AT_ONCE = 2000
_MOST_TENANTS = 100_000


class Milestone(NamedTuple):
    """The first `rank` steps of matching records end with the record of this id."""

    rank: int
    id: int


class Milestones:
    """One tenant's milestones for one filter, `of` being its name."""

    def __init__(self, store: Store, tenant: str, *, of: str, generation: int) -> None:
        self._store = store
        self._table: Table = store.table(COLLECTION, tenant)
        self._key = {"generation": generation, "of": of}
        self._tenant = tenant

    async def last(self) -> Milestone:
        """The latest one; of rank 0 where there is none."""
        found = await self._table.many(self._key, order=[("rank", -1)], limit=1)
        return Milestone(found[0]["rank"], found[0]["id"]) if found else Milestone(0, 0)

    async def at(self, rank: int) -> Milestone | None:
        """The one of this rank."""
        found = await self._table.one({**self._key, "rank": rank})
        return None if found is None else Milestone(rank, found["id"])

    async def add(self, milestones: Sequence[Milestone]) -> None:
        """Keep them; one that is there stays."""
        key = {**self._key, "tenant": self._tenant}
        queries = [{**key, "rank": one.rank} for one in milestones]
        writes = [
            Upsert(query, {"$setOnInsert": {"id": one.id}}, {**query, "id": one.id})
            for query, one in zip(queries, milestones, strict=True)
        ]
        await self._store.write_many(COLLECTION, writes)


async def generation(store: Store, tenant: str) -> int:
    """The tenant's present generation."""
    found = await store.table(_GENERATIONS, tenant).one({})
    return 0 if found is None else int(found["number"])


async def forget(store: Store, tenant: str) -> None:
    """Records of the tenant were removed: begin a new generation."""
    begun = await store.table(_GENERATIONS, tenant).update({}, {"$inc": {"number": 1}}, upsert=True)
    former = {"generation": {"$lt": begun["number"] if begun else 0}}
    while await store.table(COLLECTION, tenant).delete_some(former, most=_AT_ONCE):
        pass


async def outdate(store: Store, slugs: Iterable[str], *, at: datetime) -> None:
    """Records of these tenants will have gone by this moment: then is the time to `forget_outdated`.

    Of several moments the first one counts. Raises Problem(unavailable).
    """
    change = {"$min": {_OUTDATED: at}, "$setOnInsert": {"number": 0}}
    if writes := [Upsert({"tenant": slug}, change) for slug in slugs]:
        await store.write_many(_GENERATIONS, writes)


async def forget_outdated(store: Store, now: datetime) -> int:
    """`forget` of the tenants whose moment has come; how many they were. Raises Problem(unavailable).

    Whoever is killed meanwhile leaves some of them to the next one.
    """
    outdated = {_OUTDATED: {"$lte": now}}
    found = await store.global_many(_GENERATIONS, outdated, limit=_MOST_TENANTS, fields=["tenant"])
    for document in found:
        await forget(store, document["tenant"])
        await store.table(_GENERATIONS, document["tenant"]).update(outdated, {"$unset": {_OUTDATED: ""}})
    return len(found)


async def forget_all(store: Store) -> None:
    """`forget` of all tenants: records came that are older than others."""
    for tenant in await tenants.listed(store, limit=_MOST_TENANTS):
        await forget(store, tenant.slug)
