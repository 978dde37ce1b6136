"""Several writes that happen together or not at all: on the real mongod, beside others, and cut short."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from shared import embedded
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.transactions import Change, Insert, Write, together
from tests.platform import ROOT

TENANT = "together-test"
_ids = count(1)
_NAMED = {"$set": {"name": "y"}}


@pytest.fixture(autouse=True)
async def nothing_left(store: Store) -> AsyncIterator[None]:
    yield
    for collection in ("functions", "versions"):
        await store.table(collection, TENANT).delete({})


def function(id: int, **values: object) -> Insert:
    return Insert("functions", {"id": id, "slug": f"f-{id}", "revision": 1, **values})


def version(id: int, **values: object) -> Insert:
    return Insert("versions", {"id": id, "function_id": id, "version": str(id), **values})


async def counts(store: Store) -> tuple[int, int]:
    return (await store.table("functions", TENANT).count({}), await store.table("versions", TENANT).count({}))


async def test_all_of_it(store: Store):
    assert await together(store, TENANT, [function(1), version(1)])
    change = Change("functions", {"id": 1, "revision": 1}, {"$set": {"name": "x"}, "$inc": {"revision": 1}})
    assert await together(store, TENANT, [function(2), change, version(2)])
    found = await store.table("functions", TENANT).many({}, order=[("id", 1)], limit=5)
    assert [(one["id"], one["revision"], one.get("name"), one["tenant"]) for one in found] == [
        (1, 2, "x", TENANT),
        (2, 1, None, TENANT),
    ]


@pytest.mark.parametrize(
    "writes",
    [
        [function(2), version(1)],
        [version(2), function(2, slug="f-1")],
        [version(2), Change("functions", {"id": 1, "revision": 7}, _NAMED)],
        [version(2), Change("functions", {"id": 1}, _NAMED), Change("functions", {"id": 9}, _NAMED)],
    ],
    ids=["key", "slug", "revision", "missing"],
)
async def test_or_none_of_it(store: Store, writes: list[Write]):
    assert await together(store, TENANT, [function(1), version(1)])
    assert not await together(store, TENANT, writes)
    assert await counts(store) == (1, 1)
    assert "name" not in (await store.table("functions", TENANT).one({"id": 1}) or {"name": 1})


async def test_a_tenant_changes_nothing_of_others(store: Store):
    assert await together(store, TENANT, [function(1)])
    assert not await together(store, "rival", [Change("functions", {"id": 1}, _NAMED)])
    assert "name" not in (await store.table("functions", TENANT).one({"id": 1}) or {"name": 1})


async def test_many_at_once(store: Store):
    """Each raises the revision that it has read and says so elsewhere: no two of them, and none by halves."""
    assert await together(store, TENANT, [function(1)])
    functions = store.table("functions", TENANT)

    async def raised() -> int:
        won = 0
        while won < 10:
            read = await functions.one({"id": 1})
            assert read is not None
            at = {"id": 1, "revision": read["revision"]}
            writes = [version(next(_ids), of=read["revision"]), Change("functions", at, {"$inc": {"revision": 1}})]
            won += await together(store, TENANT, writes)
        return won

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(raised() for _ in range(5)))) == 50
    found = await store.table("versions", TENANT).many({}, order=[("of", 1)], limit=100)
    assert [one["of"] for one in found] == list(range(1, 51))
    assert (await functions.one({"id": 1}) or {})["revision"] == 51


async def test_cancelled_is_whole_or_nothing(store: Store):
    functions = store.table("functions", TENANT)
    for number in range(1, 20):
        writes = [function(number), version(number)]
        task = asyncio.create_task(together(store, TENANT, writes))
        await functions.count({})  # about as long as half of it takes
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        functions_written, versions_written = await counts(store)
        assert functions_written == versions_written
    assert await together(store, TENANT, [function(100), version(100)])  # nothing holds what the others had


HALF = """
import asyncio, sys
from shared.store.client import Batch, Store

class Half(list):
    def __iter__(self):
        yield Batch("functions", [({"id": 1, "tenant": sys.argv[2]}, {"$set": {"name": "half"}})], [])
        yield Batch("versions", [], [{"tenant": sys.argv[2], "id": 1, "version": "1", "function_id": 1}])
        print("half", flush=True)
        sys.stdin.read()

asyncio.run(Store(sys.argv[1], database="shoal", timeout_s=30.0).write_together(Half()))
"""


async def test_killed_in_the_middle_leaves_nothing(tmp_path: Path):
    """On a server of its own: what is held open by a dead process stands in the way of writers for a minute."""
    server = embedded.Mongo(tmp_path)
    await server.start()
    store = Store(server.url, database="shoal")
    assert await together(store, TENANT, [function(1)])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HALF, server.url, TENANT,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert "name" not in (await store.table("functions", TENANT).one({"id": 1}) or {"name": 1})
    assert await counts(store) == (1, 0)
    store.close()
    await server.stop()


async def test_what_is_wrong_is_a_bug_and_what_is_away_a_problem(store: Store):
    with pytest.raises(Exception, match=r"BSON|8-byte") as raised:
        await together(store, TENANT, [version(3), function(3, value=2**64)])
    assert not isinstance(raised.value, Problem)
    assert await counts(store) == (0, 0)
    nowhere = Store("mongodb://127.0.0.1:1/?directConnection=true", database="shoal", timeout_s=0.2)
    with pytest.raises(Problem) as away:
        await together(nowhere, TENANT, [function(1)])
    assert away.value.code == "unavailable"
    nowhere.close()
