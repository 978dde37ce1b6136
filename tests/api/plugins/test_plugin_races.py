"""Plugins that several people change in one moment."""

import asyncio
from collections import Counter

from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.history import History
from tests.api.plugins.conftest import FILTER, MAIN, Keeping, Open, draft


def results(outcomes: list[object]) -> Counter[str]:
    return Counter(one.code if isinstance(one, Problem) else type(one).__name__ for one in outcomes)


async def left_alone(keeping: Keeping) -> None:
    """No version or source is there that no function names."""
    tenant, store = keeping.admin.tenant, keeping.store
    owned = await keeping.functions.plugins(limit=100)
    ids = {function.id for function in owned}
    versions = await store.table("versions", tenant).many({}, limit=1000)
    assert {version["function_id"] for version in versions} <= ids
    sources = await store.table("sources", tenant).many({}, limit=1000)
    assert {source["code_hash"] for source in sources} == {version["code_hash"] for version in versions}


async def test_one_key_is_made_once(keeping: Keeping):
    wanted = [draft("one", f"{MAIN}# {number}") for number in range(8)]
    outcomes = await asyncio.gather(
        *(keeping.plugins.create(keeping.admin, one) for one in wanted), return_exceptions=True
    )
    assert results(list(outcomes)) == {"Function": 1, "conflict": 7}
    assert all("id" in one.fields for one in outcomes if isinstance(one, Problem))
    assert len(await keeping.plugins.listed(keeping.admin)) == 1
    assert await keeping.store.table("versions", keeping.admin.tenant).count({}) == 1
    await left_alone(keeping)


async def test_keys_of_one_slug_are_made_side_by_side(keeping: Keeping):
    keys = ["a_b", "a__b", "_a_b", "a_b_", "__a_b", "a___b"]
    made = await asyncio.gather(*(keeping.plugins.create(keeping.admin, draft(key)) for key in keys))
    assert sorted(one.slug for one in made) == ["a-b", *(f"a-b-{number}" for number in range(2, 7))]
    await left_alone(keeping)


async def test_made_and_deleted_side_by_side(keeping: Keeping):
    for number in range(5):
        content = f"{MAIN}# {number}"
        outcomes = await asyncio.gather(
            keeping.plugins.create(keeping.admin, draft("here", content)),
            keeping.plugins.delete(keeping.admin, "here"),
            keeping.plugins.create(keeping.admin, draft("here", content)),
            keeping.plugins.delete(keeping.admin, "here"),
            return_exceptions=True,
        )
        assert set(results(list(outcomes))) <= {"Function", "conflict", "NoneType"}
        await left_alone(keeping)
        for function in await keeping.plugins.listed(keeping.admin):
            assert (await keeping.plugins.shown(keeping.admin, "here")).content == content
            assert function.active is not None
        await keeping.plugins.delete(keeping.admin, "here")
    assert await keeping.plugins.listed(keeping.admin) == []
    await left_alone(keeping)


async def test_deleted_by_several(keeping: Keeping):
    for _ in range(10):
        made = await keeping.plugins.create(keeping.admin, draft("many"))
        await asyncio.gather(*(keeping.plugins.delete(keeping.admin, "many") for _ in range(5)))
        assert await keeping.plugins.listed(keeping.admin) == []
        ends = await keeping.store.table("history", made.tenant).count({"function_id": made.id, "kind": "Deleted"})
        assert ends == 1


async def test_an_end_is_written_down_once(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("ended"))
    history = History(keeping.store, made.tenant)
    await asyncio.gather(*(history.close(made, user="ada") for _ in range(20)))
    [end] = [one for one in await history.listed(made.id, limit=100, skip=0) if one.kind == "Deleted"]
    assert (end.function_id, end.user) == (made.id, "ada")


async def test_no_toggle_is_lost(keeping: Keeping):
    times = 21
    await keeping.plugins.create(keeping.admin, draft("toggled"))
    shown = await asyncio.gather(*(keeping.plugins.toggle(keeping.admin, "toggled") for _ in range(times)))
    assert sum(one.function.is_active for one in shown) == (times + 1) // 2
    now = await keeping.plugins.named(keeping.admin, "toggled")
    assert (now.is_active, now.revision) == (True, times + 1)


async def test_toggles_of_both_kinds_and_an_update_keep_each_other(keeping: Keeping):
    await keeping.plugins.create(keeping.admin, draft("all"))
    await asyncio.gather(
        *(keeping.plugins.toggle(keeping.admin, "all") for _ in range(5)),
        *(keeping.plugins.toggle_global(keeping.admin, "all") for _ in range(5)),
        keeping.plugins.update(keeping.admin, "all", draft("all", MAIN, name="New")),
    )
    now = await keeping.plugins.named(keeping.admin, "all")
    assert now.plugin is not None
    assert (now.is_active, now.plugin.is_global, now.name, now.plugin.kind) == (True, True, "New", "function")


async def test_updates_side_by_side_are_whole(keeping: Keeping):
    await keeping.plugins.create(keeping.admin, draft("whole"))
    contents = {f"n{number}": f"{MAIN if number % 2 else FILTER}# {number}" for number in range(8)}
    await asyncio.gather(
        *(
            keeping.plugins.update(keeping.admin, "whole", draft("whole", content, name=name, said=name))
            for name, content in contents.items()
        )
    )
    shown = await keeping.plugins.shown(keeping.admin, "whole")
    function = shown.function
    assert function.plugin is not None
    assert shown.content == contents[function.name]
    assert function.plugin.meta["said"] == function.name
    assert function.plugin.kind == ("function" if shown.content.startswith(MAIN) else "filter")
    assert function.revision == 9
    assert await keeping.sources.count(function.id) == 9
    await left_alone(keeping)


async def test_updated_and_deleted_side_by_side(keeping: Keeping):
    for number in range(5):
        await keeping.plugins.create(keeping.admin, draft("ending"))
        outcomes = await asyncio.gather(
            keeping.plugins.update(keeping.admin, "ending", draft("ending", f"{MAIN}# {number}")),
            keeping.plugins.delete(keeping.admin, "ending"),
            return_exceptions=True,
        )
        assert results([outcomes[0]]) in ({"Shown": 1}, {"not_found": 1})
        assert await keeping.plugins.listed(keeping.admin) == []
        await left_alone(keeping)


async def test_a_tenant_has_no_more_however_many_are_made_at_once(opened: Open):
    keeping = opened("crowd", most=3)
    outcomes = await asyncio.gather(
        *(keeping.plugins.create(keeping.admin, draft(f"k{number}")) for number in range(10)), return_exceptions=True
    )
    made = [one for one in outcomes if isinstance(one, Function)]
    assert set(results(list(outcomes))) <= {"Function", "invalid"}
    assert len(made) <= 3
    assert [one.id for one in await keeping.plugins.listed(keeping.admin)] == sorted(one.id for one in made)
    await left_alone(keeping)
