"""All plugins at once: all of it or nothing, nobody else's functions, beside others who write, and cut short."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.core import plugin_sync
from services.api.core.plugin_sync import Entry
from services.api.core.plugins import Draft
from shared.domain.caller import SCOPES
from shared.domain.function import ActiveVersion, Function
from shared.domain.plugin import Plugin
from shared.domain.problem import Problem
from shared.secrets import Keyring, key_of
from shared.store import deletions
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.history import History
from shared.store.transactions import together
from shared.store.user_valves import UserValves
from tests.api.valves.conftest import BROKEN, KEYED, NOTHING, PLAIN, REDACTOR, Kept, Open, entry

OTHER = REDACTOR.replace("0.1", "0.2")


def plugin(function: Function) -> Plugin:
    assert function.plugin is not None
    return function.plugin


def active(function: Function) -> ActiveVersion:
    assert function.active is not None
    return function.active


async def all_of(kept: Kept) -> dict[str, list[Any]]:
    """Everything of the tenant but its history, which only grows, and what schedulers note for themselves."""
    found = {}
    for name in ("functions", "versions", "sources", "user_valves", "apps", "invocations"):
        documents = await kept.store.table(name, kept.tenant).many({}, order=[("_id", 1)], limit=10_000)
        found[name] = [{key: one[key] for key in one if key != "schedule_due"} for one in documents]
    return found


async def refused(kept: Kept, *entries: Entry, code: str = "invalid") -> Problem:
    """The sync fails, and nothing is another."""
    before = await all_of(kept)
    with pytest.raises(Problem) as raised:
        await kept.synced(*entries)
    assert raised.value.code == code, raised.value.message
    assert await all_of(kept) == before
    return raised.value


async def test_from_nothing(kept: Kept):
    born = 1_700_000_000
    content = "from utils.x import y\n" + PLAIN  # that is refused, unless it is written out
    said = await kept.synced(
        entry("redactor", valves={"priority": 2}, meta={"description": "d", "toggle": True}, is_global=True),
        entry("Ünder.Score x", PLAIN, name="Any / name", is_active=True, created_at=born),
        entry("keyed", KEYED, valves={}),
    )
    assert [plugin(one.function).key for one in said] == ["redactor", "Ünder.Score x", "keyed"]
    assert [one.valves for one in said] == [{"priority": 2}, None, {}]
    first, second, third = (one.function for one in said)
    assert (plugin(first).kind, plugin(second).kind, plugin(third).kind) == ("filter", "function", "action")
    assert plugin(first).meta["manifest"] == {"title": "Redact", "version": "0.1"}
    assert plugin(first).meta["toggle"] is False
    assert (plugin(first).is_global, first.is_active, plugin(second).is_global, second.is_active) == (1, 0, 0, 1)
    assert (second.name, second.slug, second.deployed_as) == ("Any / name", "under-score-x", "Ünder.Score x")
    assert second.created_at == datetime.fromtimestamp(born, UTC)
    assert second.updated_at > first.created_at - timedelta(seconds=1)
    assert {plugin(one.function).user_id for one in said} == {kept.admin.user.id}
    assert [one.content for one in said] == [REDACTOR, PLAIN, KEYED]
    assert kept.valves.opened(first) == {"priority": 2}
    assert key_of(plugin(first).valves)
    assert await kept.all() == {plugin(one.function).key: one.function for one in said}
    for one in said:
        version = await kept.versions.by_id(active(one.function).id)
        assert version is not None
        assert version.code_hash == active(one.function).code_hash
        source = await kept.versions.source(version.code_hash)
        assert source is not None
        assert source.source == one.content
        history = await History(kept.store, kept.tenant).listed(one.function.id, limit=5, skip=0)
        assert [line.kind for line in history] == ["Created"]
    problem = await refused(kept, entry("other", content))
    assert "Function 'other'" in problem.message
    assert "open_webui.utils" in problem.message


async def test_what_is_there_is_set_anew(kept: Kept):
    same, recoded = await kept.made("same"), await kept.made("recoded")
    for key in ("same", "recoded"):
        await kept.valves.replace(kept.admin, key, {"priority": 9, "mask": "m"})
        await kept.functions.change(
            (await kept.now(key)).slug, {"config": {"timeout": 7}, "cron_expression": "* * * * *"}
        )
    await kept.valves.replace_for_user(kept.of_role("user"), "same", {"limit": 5})
    other = kept.of_role("admin", id=33)
    said = await kept.sync.sync(
        other, [entry("recoded", OTHER, valves={"mask": "n"}, name="New", created_at=5), entry("same", is_active=True)]
    )
    now = await kept.all()
    assert now == {"recoded": said[0].function, "same": said[1].function}
    assert [one.valves for one in said] == [{"mask": "n"}, None]
    assert kept.valves.opened(now["recoded"]) == {"mask": "n"}
    assert plugin(now["same"]).valves == ""
    assert (now["recoded"].id, now["same"].id) == (recoded.id, same.id)
    assert (now["recoded"].slug, now["recoded"].name) == (recoded.slug, "New")
    assert (now["recoded"].is_active, now["same"].is_active) == (False, True)
    assert {plugin(one).user_id for one in now.values()} == {33}
    assert active(now["same"]) == active(same)
    assert active(now["recoded"]).id > active(recoded).id
    assert [v.id for v in await kept.versions.of(recoded.id, limit=5)] == [
        active(now["recoded"]).id,
        active(recoded).id,
    ]
    assert plugin(now["recoded"]).meta["manifest"]["version"] == "0.2"
    assert now["recoded"].created_at == datetime.fromtimestamp(5, UTC)
    assert now["same"].created_at == same.created_at
    assert all(one.updated_at > same.updated_at for one in now.values())
    assert all((one.config, one.cron_expression) == ({"timeout": 7}, "* * * * *") for one in now.values())
    assert await kept.valves.of_user(kept.of_role("user"), "same") == {"limit": 5}


async def test_what_is_not_sent_is_gone(kept: Kept, store: Store):
    gone, stays = await kept.made("gone", OTHER), await kept.made("stays")
    user = kept.of_role("user")
    for key in ("gone", "stays"):
        await kept.valves.replace(kept.admin, key, {"priority": 1})
        await kept.valves.replace_for_user(user, key, {"limit": 5})
    for id, function in enumerate((gone, stays)):
        record = {"id": id, "tenant": kept.tenant, "task_id": str(id), "function_id": function.id, "status": "SUCCESS"}
        await store.table("invocations", kept.tenant).insert(record)
    said = await kept.synced(entry("stays"))
    assert list(await kept.all()) == ["stays"] == [plugin(one.function).key for one in said]
    left = await all_of(kept)
    assert [one["id"] for one in left["functions"]] == [stays.id]
    assert {one["function_id"] for one in left["versions"]} == {stays.id}
    assert {one["function_id"] for one in left["user_valves"]} == {stays.id}
    assert {one["function_id"] for one in left["invocations"]} == {stays.id}
    assert [one["code_hash"] for one in left["sources"]] == [active(stays).code_hash]
    assert await store.global_one(deletions.COLLECTION, {"_id": gone.id}) is not None
    assert [line.kind for line in await History(store, kept.tenant).listed(gone.id, limit=1, skip=0)] == ["Deleted"]
    again = (await kept.synced(entry("stays"), entry("gone", OTHER)))[1].function
    assert again.id != gone.id
    assert await kept.valves.of_user(user, "gone") == {}


async def test_nothing_deletes_all(kept: Kept):
    assert await kept.synced() == []
    for key in ("a", "b", "c"):
        await kept.made(key)
    assert await kept.synced() == []
    left = await all_of(kept)
    assert not any(left[name] for name in ("functions", "versions", "sources"))
    assert await kept.synced() == []


WRONG = {
    "syntax": (entry("bad", BROKEN), "line 1"),
    "no class": (entry("bad", NOTHING), "No Function class found in the module"),
    "valves": (entry("bad", valves={"priority": "high"}), "priority"),
    "valves' size": (entry("bad", valves={"mask": "x" * 70_000}), "valves must not be longer"),
    "meta": (entry("bad", meta={"x": "y" * 70_000}), "meta must not be longer"),
    "size": (entry("bad", "#" * 30_000), "the limit is 20000 bytes"),
    "name": (entry("bad", name="n" * 256), "name must be at most 255"),
    "time": (entry("bad", created_at=-1), "created_at must be seconds"),
    "far": (entry("bad", created_at=10**18), "created_at must be seconds"),
    "twice": (entry("one"), "id is there twice"),
    "empty": (entry(""), "id must be 1 to 255"),
    "long": (entry("x" * 256), "id must be 1 to 255"),
    "path": (entry("a/b"), "id must have no /"),
    "dots": (entry(".."), "id must have no /"),
    "NUL": (entry("a\0"), "id must have no /"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_one_that_is_wrong_and_nothing_is_written(kept: Kept, wrong: str):
    """Wherever it stands; the others would have been added, changed and deleted."""
    bad, told = WRONG[wrong]
    await kept.made("one")
    await kept.made("two")
    await kept.valves.replace(kept.admin, "two", {"priority": 3})
    good = [entry("one", OTHER, valves={"priority": 1}), entry("new", KEYED), entry("third", PLAIN)]
    for entries in ([*good, bad], [bad, *good]):
        problem = await refused(kept, *entries)
        assert told in problem.message
        assert f"Function '{bad.key[:255]}'" in problem.message


async def test_too_many(open_core: Open):
    kept = open_core("valves-few", most=3)
    await kept.made("one")
    problem = await refused(kept, *(entry(f"k{number}", PLAIN) for number in range(4)))
    assert "there may be 3" in problem.message
    assert len(await kept.synced(*(entry(f"k{number}", PLAIN) for number in range(3)))) == 3
    await kept.synced()


async def test_who_may(kept: Kept):
    await kept.made("one")
    callers = [
        kept.of_role("user"),
        kept.of_role("developer"),
        kept.of_role("admin", scopes=SCOPES - {"functions:write"}),
    ]
    for caller in callers:
        with pytest.raises(Problem) as raised:
            await kept.sync.sync(caller, [])
        assert raised.value.code == "forbidden"
    assert list(await kept.all()) == ["one"]


async def test_nothing_secret_without_a_key(kept: Kept, open_core: Open):
    bare = open_core(kept.tenant, keyring=Keyring([]))
    await kept.made("one")
    await refused(bare, entry("keyed", KEYED, valves={"api_key": "k"}), entry("other", PLAIN), code="unavailable")


async def foreign(kept: Kept, slug: str, *, app: str = "plugins", **fields: Any) -> Function:
    """A function of another dialect, straight in the store."""
    made, now = await Apps(kept.store, kept.tenant).keep(app, name=app), datetime.now(UTC)
    function = Function(
        id=await kept.functions.next_id(), tenant=kept.tenant, app=made.id, app_slug=app, app_name=app,
        slug=slug, execution_mode="app", created_at=now, updated_at=now, **{"name": slug, **fields},
    )  # fmt: skip
    await kept.functions.insert(function)
    stored = await kept.functions.by_id(function.id)
    assert stored is not None
    return stored


async def test_functions_of_others_are_not_touched(kept: Kept):
    others = [
        await foreign(kept, "redactor", app="shop", deployed_as="redactor"),
        await foreign(kept, "plain", name="plain"),
        await foreign(kept, "named", name="redactor"),
    ]
    await UserValves(kept.store, kept.tenant).keep(others[0].id, 2, "{}")
    said = await kept.synced(entry("redactor"), entry("plain", PLAIN))
    assert [one.function.slug for one in said] == ["redactor-2", "plain-2"]
    await kept.synced(entry("plain", PLAIN))
    await kept.synced()
    assert [await kept.functions.by_id(other.id) for other in others] == others
    assert await kept.store.table("user_valves", kept.tenant).count({}) == 1


async def test_what_is_deployed_by_that_name_is_not_taken_over(kept: Kept):
    held = await foreign(kept, "held", deployed_as="redactor")
    await kept.made("one")
    problem = await refused(kept, entry("one"), entry("redactor"))
    assert "Function 'redactor'" in problem.message
    await kept.functions.change("held", {"deleted_at": datetime.now(UTC)})  # softly: by this name it cannot come back
    said = await kept.synced(entry("redactor"))
    assert said[0].function.id != held.id
    assert said[0].function.deployed_as == "redactor"


async def test_keys_that_would_have_one_slug(kept: Kept):
    said = await kept.synced(
        entry("Foo", PLAIN), entry("foo", PLAIN), entry("föö", PLAIN), entry("сделай", PLAIN), entry("id", PLAIN)
    )
    assert [one.function.slug for one in said] == ["foo", "foo-2", "foo-3", "plugin", "id-2"]
    assert {plugin(one.function).key for one in said} == set(await kept.all())


async def test_sent_back_as_exported(kept: Kept, open_core: Open):
    """What one has is what the other has then, with the secrets; and once more changes nothing of it."""
    await kept.made("redactor")
    await kept.made("keyed", KEYED, active=False)
    await kept.valves.replace(kept.admin, "keyed", {"api_key": "k", "tries": 3})
    await kept.plugins.toggle_global(kept.admin, "redactor")

    async def exported(of: Kept) -> list[Entry]:
        return [
            Entry(
                key=plugin(one.function).key, name=one.function.name, content=one.content,
                meta=plugin(one.function).meta, is_active=one.function.is_active,
                valves=of.valves.opened(one.function) if plugin(one.function).valves else None,
                is_global=plugin(one.function).is_global, created_at=int(one.function.created_at.timestamp()),
            )
            for one in await of.plugins.exported(of.admin)
        ]  # fmt: skip

    sent, there = await exported(kept), open_core(f"{kept.tenant}-copy")
    await there.sync.sync(there.admin, sent)
    assert await exported(there) == sent
    versions = {key: one.active for key, one in (await there.all()).items()}
    await there.sync.sync(there.admin, sent)
    assert await exported(there) == sent
    assert {key: one.active for key, one in (await there.all()).items()} == versions


async def test_two_at_once(kept: Kept):
    """What is there afterwards is what one of them has sent: never a part of each."""
    wanted = [
        {"a": PLAIN, "b": REDACTOR, "c": KEYED},
        {"b": OTHER, "c": PLAIN, "d": REDACTOR},
        {"e": REDACTOR},
        {},
    ]
    for _ in range(3):
        syncs = (kept.synced(*(entry(key, content) for key, content in one.items())) for one in wanted)
        outcomes = await asyncio.gather(*syncs, return_exceptions=True)
        assert [one for one in outcomes if isinstance(one, BaseException) and not _is(one, "conflict")] == []
        assert await _contents(kept) in wanted
        assert await kept.store.table("functions", kept.tenant).count({}) == len(await kept.all())


async def test_two_that_know_nothing_of_each_other(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """Both are thought out before one is written: the other one then is thought out anew."""
    await kept.synced(entry("x", PLAIN))
    await kept.synced()  # there is the app, and nothing else that both would write
    both, tries = asyncio.Barrier(2), 0

    async def late(*asked: Any) -> bool:
        nonlocal tries
        tries += 1
        if tries <= 2:
            await both.wait()
        return await together(*asked)

    monkeypatch.setattr(plugin_sync, "together", late)
    async with asyncio.timeout(60):
        await asyncio.gather(kept.synced(entry("a", PLAIN)), kept.synced(entry("b", PLAIN)))
    assert await _contents(kept) in ({"a": PLAIN}, {"b": PLAIN})
    assert tries > 2  # the other may not be through yet when it is lost for the first time


async def test_beside_others_who_write(kept: Kept):
    """Nobody's change is half there, and a sync wins in the end, for all it depends on is the code."""
    for key in ("a", "b", "c"):
        await kept.made(key)
    done = asyncio.Event()

    async def toggles() -> None:
        while not done.is_set():
            await _met(kept.plugins.toggle(kept.admin, "a"))
            await _met(kept.plugins.toggle_global(kept.admin, "b"))

    async def updates() -> None:
        number = 0
        while not done.is_set():
            number += 1
            draft = Draft(key="a", name=f"N{number}", content=REDACTOR + f"# {number}\n")
            await _met(kept.plugins.update(kept.admin, "a", draft))

    async def sets() -> None:
        while not done.is_set():
            await _met(kept.valves.replace(kept.admin, "b", {"priority": 1, "mask": "x"}))
            await _met(kept.valves.replace_for_user(kept.of_role("user"), "c", {"limit": 1}))

    writing = [asyncio.create_task(work()) for work in (toggles, updates, sets)]
    won = 0
    async with asyncio.timeout(90):
        for number in range(4):
            keys = ("a", "b", "c") if number % 2 else ("a", "b", "d")
            outcome = await asyncio.gather(
                kept.synced(*(entry(key, OTHER, valves={"mask": "y"}, is_active=True) for key in keys)),
                return_exceptions=True,
            )
            assert isinstance(outcome[0], list) or _is(outcome[0], "conflict"), outcome
            won += isinstance(outcome[0], list)
            assert set(await kept.all()) <= {"a", "b", "c", "d"}
    done.set()
    await asyncio.gather(*writing)
    assert won >= 2
    for key, function in (await kept.all()).items():
        source = await kept.versions.source(active(function).code_hash)
        assert source is not None, key
        assert await kept.versions.by_id(active(function).id) is not None
        assert kept.valves.opened(function) in ({"mask": "y"}, {"priority": 1, "mask": "x"}, {})
    await kept.synced(entry("a"))
    assert [one["function_id"] for one in (await all_of(kept))["versions"]] != []
    assert await _contents(kept) == {"a": REDACTOR}


async def test_cut_short_it_is_whole_or_nothing(kept: Kept):
    """At any moment: what has begun to be written is written, what belongs to the deleted goes with the next."""
    before = {"a": REDACTOR, "b": PLAIN}
    after = {"b": OTHER, "c": KEYED}
    seen = set()
    await kept.synced(*(entry(key, content) for key, content in before.items()))
    for moment in range(0, 60, 5):
        task = asyncio.create_task(kept.synced(*(entry(key, content) for key, content in after.items())))
        try:
            async with asyncio.timeout(moment / 100):
                await asyncio.shield(task)
        except TimeoutError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        found = await _contents(kept)
        assert found in (before, after), moment
        seen.add(frozenset(found))
        await kept.synced(*(entry(key, content) for key, content in before.items()))
        left = await all_of(kept)
        assert len(left["functions"]) == 2, moment
        assert {one["function_id"] for one in left["versions"]} == {one["id"] for one in left["functions"]}, moment
        named = {one["code_hash"] for one in left["versions"]}
        assert named <= {one["code_hash"] for one in left["sources"]}
    assert len(seen) == 2


async def test_a_repeat_ends_what_was_cut_short_after_the_writing(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    gone = await kept.made("gone")
    await kept.made("stays", OTHER)
    await kept.valves.replace(kept.admin, "gone", {"mask": "secret"})
    await kept.valves.replace_for_user(kept.of_role("user"), "gone", {"limit": 5})

    async def dies(*_: object) -> bool:
        raise Problem("unavailable", "cut short")

    with monkeypatch.context() as patch:
        patch.setattr(kept.removal, "remove", dies)
        with pytest.raises(Problem, match="cut short"):
            await kept.synced(entry("stays", OTHER))
    assert list(await kept.all()) == ["stays"]
    assert await kept.functions.by_slug(gone.slug) is None
    assert await kept.functions.by_id(gone.id) is None
    left = await kept.store.table("functions", kept.tenant).one({"id": gone.id})
    assert left is not None
    assert (left["plugin"]["valves"], left["plugin"]["key"], left["is_active"]) == ("", "", False)
    said = await kept.synced(entry("stays", OTHER), entry("gone"))  # its key is free at once
    assert said[1].function.id != gone.id
    found = await all_of(kept)
    assert {one["id"] for one in found["functions"]} == {one.function.id for one in said}
    assert found["user_valves"] == []
    assert {one["function_id"] for one in found["versions"]} == {one.function.id for one in said}


async def test_many(kept: Kept):
    """More than a bus or a database takes at once of anything."""
    entries = [entry(f"k{number}", PLAIN + f"# {number}\n", is_active=True) for number in range(30)]
    async with asyncio.timeout(120):
        said = await kept.synced(*entries)
        assert [plugin(one.function).key for one in said] == [one.key for one in entries]
        assert len(await kept.all()) == 30
        await kept.synced(*entries[:12])
    assert len(await kept.all()) == 12
    assert await kept.store.table("functions", kept.tenant).count({}) == 12


def _is(outcome: object, code: str) -> bool:
    return isinstance(outcome, Problem) and outcome.code == code


async def _met(work: Any) -> None:
    """A change of what may be gone, or is being changed by others, or does not fit what they have made of it."""
    try:
        await work
    except Problem as problem:
        if problem.code not in {"not_found", "conflict", "invalid"}:
            raise


async def _contents(kept: Kept) -> dict[str, str]:
    found = {}
    for key, function in (await kept.all()).items():
        source = await kept.versions.source(active(function).code_hash)
        assert source is not None, key
        found[key] = source.source
    return found
