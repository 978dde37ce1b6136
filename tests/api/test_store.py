"""The store against a real mongod: what can never be written, and what only has to be tried again."""

import asyncio
from typing import Any

import pytest
from pymongo.errors import BulkWriteError

from shared.domain.problem import Problem
from shared.store import invocations
from shared.store.client import Store, Upsert


def upsert(id: str, **fields: object) -> Upsert:
    return Upsert({"_id": id}, {"$set": {"tenant": "store-test", **fields}})


@pytest.mark.parametrize("wrong", ["x" * (17 << 20), 2**64, "insert"])
async def test_what_can_never_be_written_is_no_outage(store: Store, wrong: object):
    """The recorder then writes one by one, and buries this one: a Problem would make it try for ever."""
    bad = upsert(f"bad-{type(wrong)}", value=wrong)
    if wrong == "insert":
        bad = Upsert({"_id": "bad"}, {"$set": {"a.": 1, "": {"$x": 1}, "tenant": {"b": 1}, "tenant.c": 2}})
    good = [upsert(f"good-{type(wrong)}-{number}", value=number) for number in range(3)]
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any but a Problem will do
        await invocations.write(store, [good[0], bad, *good[1:]])
    assert not isinstance(raised.value, Problem)
    for write in good:
        assert await invocations.write(store, [write]) == []
    with pytest.raises(Exception) as raised:  # noqa: PT011
        await invocations.write(store, [bad])
    assert not isinstance(raised.value, Problem)
    assert await store.table("invocations", "store-test").delete({}) == 3


class Refusing:
    """A collection whose server wants it to be tried again."""

    def __init__(self, details: dict[str, Any]) -> None:
        self._details = details

    def __getitem__(self, _name: str) -> "Refusing":
        return self

    async def bulk_write(self, _operations: object, *, ordered: bool) -> None:
        assert not ordered
        raise BulkWriteError(self._details)


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "waiting for replication timed out"}]},
        {"writeErrors": [{"index": 0, "code": 10107, "errmsg": "not primary"}], "writeConcernErrors": []},
    ],
)
async def test_documents_are_not_blamed_for_the_server(
    store: Store, monkeypatch: pytest.MonkeyPatch, details: dict[str, Any]
):
    monkeypatch.setattr(store, "_database", Refusing(details))
    with pytest.raises(Problem) as raised:
        await invocations.write(store, [upsert("a")])
    assert raised.value.code == "unavailable"


async def test_an_index_that_is_gone_is_dropped_again_without_harm(store: Store):
    await store.ensure_index("dropped", [("tenant", 1), ("a", 1)], name="old")
    await asyncio.gather(*(store.drop_index("dropped", "old") for _ in range(4)))
    await store.drop_index("dropped", "old")
    await store.drop_index("never-made", "old")
    await store.ensure_index("dropped", [("tenant", 1), ("a", 1), ("b", 1)], name="old")  # the name is free
