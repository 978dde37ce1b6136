"""What is planned for the functions that run by a schedule, over all tenants: it stands in the function's own document.

`schedule_due` is the tick that is planned next, Unix seconds: 0 where the schedule has changed and nobody has planned
anew, absent where there is nothing to plan. `schedule_run` is the last run that was submitted. Who changes the function
sets `schedule_due` to 0 in the same write, so no change can be missed, and an index on it finds what has to be done.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.domain.function import Function
from shared.store.client import Document, Store

_COLLECTION = "functions"
_UNUSED = ("description", "auth_config", "headers", "config", "triggers", "env")
_FIELDS = ["_id", "schedule_due", "schedule_run", *(f for f in Function.__struct_fields__ if f not in _UNUSED)]
NEVER = 253_402_300_799  # the last second that a calendar knows; nothing is planned

Key = tuple[str, int]
"""Tenant and id of a function."""


class Run(msgspec.Struct, frozen=True):
    """A run that was submitted at a moment, Unix seconds."""

    task_id: str
    at: float


class Planned(msgspec.Struct, frozen=True):
    """A function, without the settings that a schedule does not need, and what is planned for it."""

    function: Function
    due: int | None = None
    run: Run | None = None

    @property
    def key(self) -> Key:
        """Who it is."""
        return self.function.tenant, self.function.id


class Step(msgspec.Struct, frozen=True):
    """What is planned next for a function as it was read, and what was submitted, if anything was."""

    planned: Planned
    due: int
    run: Run | None = None


async def by_keys(store: Store, keys: Iterable[Key]) -> dict[Key, Planned]:
    """The functions with these keys; who does not exist is left out."""
    wanted: dict[str, list[int]] = {}
    for tenant, id in keys:
        wanted.setdefault(tenant, []).append(id)
    if not wanted:
        return {}
    each: list[Document] = [{"tenant": tenant, "id": {"$in": ids}} for tenant, ids in wanted.items()]
    found = await store.global_many(_COLLECTION, {"$or": each}, limit=sum(map(len, wanted.values())), fields=_FIELDS)
    return {planned.key: planned for planned in map(_read, found)}


async def unplanned(store: Store, *, limit: int) -> list[Key]:
    """Functions whose schedule has changed, and nobody has planned anew."""
    return [key for _, key in await _keys(store, {"schedule_due": {"$lte": 0}}, limit=limit)]


async def overdue(store: Store, *, before: int, after: Any, limit: int) -> tuple[Any, list[Key]]:
    """Functions whose tick should have come before that moment; and where to go on, None at the end."""
    return await _page(store, {"schedule_due": {"$gt": 0, "$lt": before}}, after=after, limit=limit)


async def with_plans(store: Store, *, after: Any, limit: int) -> tuple[Any, list[Key]]:
    """All functions that something is planned for; and where to go on, None at the end."""
    return await _page(store, {"schedule_due": {"$gt": 0, "$lt": NEVER}}, after=after, limit=limit)


async def count(store: Store) -> int:
    """For how many functions something is planned."""
    return await store.global_count(_COLLECTION, {"schedule_due": {"$gt": 0, "$lt": NEVER}})


async def next_due(store: Store) -> int | None:
    """When the next tick is due, over all functions."""
    query = {"schedule_due": {"$gt": 0, "$lt": NEVER}}
    found = await store.global_many(_COLLECTION, query, order=[("schedule_due", 1)], limit=1, fields=["schedule_due"])
    return int(found[0]["schedule_due"]) if found else None


async def keep(store: Store, steps: Sequence[Step]) -> bool:
    """Write down what is planned, but for functions whose schedule is another one by now; whether there was none."""
    changes = [(_as_read(step), {"$set": _planned(step)}) for step in steps]
    return await store.change_many(_COLLECTION, changes) == len(changes)


async def clear(store: Store, planned: Sequence[Planned]) -> None:
    """Forget the plans of functions that are not scheduled any more, unless they have changed since they were read."""
    changes = [
        (
            {"tenant": p.function.tenant, "id": p.function.id, "revision": p.function.revision},
            {"$unset": {"schedule_due": "", "schedule_run": ""}},
        )
        for p in planned
    ]
    await store.change_many(_COLLECTION, changes)


def _as_read(step: Step) -> Document:
    function = step.planned.function
    # A function that was stored before there were zones has none.
    zone = {"$in": ["UTC", None]} if function.schedule_timezone == "UTC" else function.schedule_timezone
    return {
        "tenant": function.tenant,
        "id": function.id,
        "is_active": True,
        "schedule_enabled": True,
        "cron_expression": function.cron_expression,
        "schedule_timezone": zone,
        "schedule_due": {"$lte": step.due},  # never back: a repeat may come late
    }


def _planned(step: Step) -> Mapping[str, Any]:
    run = {"schedule_run": msgspec.to_builtins(step.run)} if step.run else {}
    return {"schedule_due": step.due, **run}


async def _page(store: Store, query: Document, *, after: Any, limit: int) -> tuple[Any, list[Key]]:
    found = await _keys(store, query if after is None else {**query, "_id": {"$gt": after}}, limit=limit, ordered=True)
    return found[-1][0] if len(found) == limit else None, [key for _, key in found]


async def _keys(store: Store, query: Document, *, limit: int, ordered: bool = False) -> list[tuple[Any, Key]]:
    order = [("_id", 1)] if ordered else []
    found = await store.global_many(_COLLECTION, query, order=order, limit=limit, fields=["tenant", "id"])
    return [(document["_id"], (document["tenant"], document["id"])) for document in found]


def _read(document: Document) -> Planned:
    return Planned(
        msgspec.convert(document, Function),
        due=document.get("schedule_due"),
        run=msgspec.convert(document.get("schedule_run"), Run | None),
    )
