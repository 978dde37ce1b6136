"""The versions of a plugin: shown, compared, taken up again."""

import msgspec
import pytest

from shared.domain.function import Function
from shared.domain.plugin import Plugin
from shared.domain.problem import Problem
from shared.store.client import MAX_ID
from tests.api.plugins.conftest import FILTER, MAIN, Keeping, draft, valved
from tests.people import account


def plugin(function: Function) -> Plugin:
    assert function.plugin is not None
    return function.plugin


async def active_id(keeping: Keeping, key: str) -> int:
    active = (await keeping.plugins.named(keeping.admin, key)).active
    assert active is not None
    return active.id


async def made(keeping: Keeping, *contents: str) -> list[int]:
    """The versions of a plugin `p` that had these contents, one after the other; the last one is active."""
    await keeping.plugins.create(keeping.admin, draft("p", contents[0], note="mine"))
    ids = [await active_id(keeping, "p")]
    for number, content in enumerate(contents[1:], start=1):
        await keeping.plugins.update(keeping.admin, "p", draft("p", content, note="mine"), message=f"change {number}")
        ids.append(await active_id(keeping, "p"))
    return ids


async def test_the_newest_come_first_with_their_authors(keeping: Keeping):
    author = await account(keeping.store, "author", tenant=keeping.admin.tenant, role="admin")
    first, second = await made(keeping, FILTER, MAIN)
    as_author = msgspec.structs.replace(keeping.admin, user=author.user)
    await keeping.plugins.update(as_author, "p", draft("p", f"{MAIN}# 3"), message="third")
    shown = await keeping.versions.listed(keeping.admin, "p", limit=10, skip=0)
    assert [(one.version.id, one.content, one.is_active, one.version.message) for one in shown] == [
        (await active_id(keeping, "p"), f"{MAIN}# 3", True, "third"),
        (second, MAIN, False, "change 1"),
        (first, FILTER, False, ""),
    ]
    assert [one.author and one.author.username for one in shown] == ["author", None, None]
    [part] = await keeping.versions.listed(keeping.admin, "p", limit=1, skip=1)
    assert part.version.id == second


async def test_what_two_versions_differ_in(keeping: Keeping):
    first, second = await made(keeping, MAIN, MAIN.replace("Updated", "Again"))
    diff = await keeping.versions.diff(keeping.admin, "p", before=first, after=second)
    assert (diff.before.version.id, diff.after.version.id) == (first, second)
    assert (diff.before.is_active, diff.after.is_active) == (False, True)
    assert diff.lines == [
        f"--- {diff.before.version.version}", f"+++ {diff.after.version.version}", "@@ -1,2 +1,2 @@",
        " def main():", "-    print('Updated')", "+    print('Again')",
    ]  # fmt: skip
    assert (await keeping.versions.diff(keeping.admin, "p", before=first, after=first)).lines == []


async def test_a_former_version_is_taken_up(keeping: Keeping):
    first, second = await made(keeping, FILTER, MAIN)
    await keeping.plugins.toggle(keeping.admin, "p")
    shown = await keeping.versions.use(keeping.admin, "p", first)
    assert shown.content == FILTER
    assert await active_id(keeping, "p") == first
    known = plugin(shown.function)
    assert (known.kind, shown.function.is_active, known.meta["note"]) == ("filter", True, "mine")
    assert (known.meta["toggle"], known.meta["manifest"]["title"]) == (True, "Redact")
    assert await keeping.sources.count(shown.function.id) == 2
    again = await keeping.versions.use(keeping.admin, "p", second, message="back again")
    assert (plugin(again.function).kind, plugin(again.function).meta["toggle"]) == ("function", False)
    newest = (await keeping.versions.listed(keeping.admin, "p", limit=1, skip=0))[0]
    assert (newest.version.id, newest.version.message, newest.is_active) == (second, "back again", True)


async def test_valves_have_to_fit_the_former_version(keeping: Keeping):
    first, second = await made(keeping, valved("word: int = 1"), valved("word: str = ''"))
    function = await keeping.plugins.named(keeping.admin, "p")
    values = msgspec.to_builtins(msgspec.structs.replace(plugin(function), valves='{"word":"many"}'))
    await keeping.functions.change_at(function, {"plugin": values})
    with pytest.raises(Problem, match="Current Valves are incompatible with this code") as raised:
        await keeping.versions.use(keeping.admin, "p", first, message="no")
    assert list(raised.value.fields) == ["valves"]
    assert await active_id(keeping, "p") == second
    assert [one.version.message for one in await keeping.versions.listed(keeping.admin, "p", limit=9, skip=0)] == [
        "change 1", "",
    ]  # fmt: skip


async def test_versions_of_others_are_unknown(keeping: Keeping):
    [own] = await made(keeping, MAIN)
    await keeping.plugins.create(keeping.admin, draft("other"))
    foreign = await active_id(keeping, "other")
    for id in (foreign, 0, -1, MAX_ID, MAX_ID + 1, 10**30):
        for doing in (
            lambda id=id: keeping.versions.use(keeping.admin, "p", id),
            lambda id=id: keeping.versions.diff(keeping.admin, "p", before=own, after=id),
            lambda id=id: keeping.versions.diff(keeping.admin, "p", before=id, after=own),
        ):
            with pytest.raises(Problem, match="Version not found") as raised:
                await doing()
            assert raised.value.code == "not_found"
    assert await active_id(keeping, "p") == own
