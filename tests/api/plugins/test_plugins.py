"""Plugins, one at a time: what is kept of them, what is refused, and what a change leaves as it was."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.api.core.plugins import Draft
from shared.domain.function import Function
from shared.domain.plugin import Plugin, valves_place
from shared.domain.problem import Problem
from shared.domain.version import code_hash
from shared.secrets import Keyring
from shared.store.apps import Apps
from shared.store.user_valves import UserValves
from tests.api.plugin_core import CODE_BYTES
from tests.api.plugins.conftest import FILTER, MAIN, Keeping, Open, draft, valved
from tests.people import account


def plugin(function: Function) -> Plugin:
    assert function.plugin is not None
    return function.plugin


async def refused(code: str, doing: Any, *, field: str = "", match: str = "") -> Problem:
    with pytest.raises(Problem, match=match or None) as raised:
        await doing
    assert raised.value.code == code
    assert list(raised.value.fields) == ([field] if field else [])
    return raised.value


async def set_valves(keeping: Keeping, key: str, text: str) -> None:
    """Valves as they are kept, whatever the code says."""
    function = await keeping.plugins.named(keeping.admin, key)
    changed = msgspec.structs.replace(plugin(function), valves=text)
    await keeping.functions.change_at(function, {"plugin": msgspec.to_builtins(changed)})


async def test_a_plugin_is_a_function_of_its_app(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("My_Function", name="My Function", icon_url="data:x"))
    assert (made.deployed_as, made.slug, made.app_slug, made.name) == (
        "my_function", "my-function", "plugins", "My Function",
    )  # fmt: skip
    assert (made.is_active, made.execution_mode, made.environment) == (False, "app", "python")
    assert made.active is not None
    assert made.active.code_hash == code_hash(FILTER)
    known = plugin(made)
    assert (known.key, known.kind, known.user_id, known.is_global) == ("my_function", "filter", 1, False)
    manifest = {"title": "Redact", "author": "A. Nobody", "version": "0.1"}
    assert known.meta == {"description": None, "icon_url": "data:x", "manifest": manifest, "toggle": True}
    shown = await keeping.plugins.shown(keeping.admin, "my_function")
    assert (shown.function.id, shown.function.plugin, shown.content) == (made.id, known, FILTER)
    assert (await Apps(keeping.store, keeping.admin.tenant).named("plugins")).id == made.app


async def test_what_the_code_says_takes_the_place_of_what_the_draft_says_of_it(keeping: Keeping):
    said = draft("plain", MAIN, description="It prints", toggle=True, manifest={"title": "No"})
    known = plugin(await keeping.plugins.create(keeping.admin, said))
    assert known.kind == "function"
    assert known.meta == {"description": "It prints", "manifest": {}, "toggle": False}


async def test_the_content_is_kept_with_its_imports_written_out(keeping: Keeping):
    content = '"""\ntitle: from utils\n"""\n' + MAIN
    await keeping.plugins.create(keeping.admin, draft("imports", content))
    shown = await keeping.plugins.shown(keeping.admin, "imports")
    assert shown.content == content.replace("from utils", "from open_webui.utils")
    assert plugin(shown.function).meta["manifest"] == {"title": "from open_webui.utils"}


@pytest.mark.parametrize("key", ["", "my-function", "1st", "with space", "a.b", "a/b", "a" * 256, "nul\0", "İ" * 200])
async def test_a_key_is_an_identifier(keeping: Keeping, key: str):
    await refused("invalid", keeping.plugins.create(keeping.admin, draft(key)), field="id")


async def test_keys_of_letters_that_no_slug_has(keeping: Keeping):
    made = [await keeping.plugins.create(keeping.admin, draft(key)) for key in ("ключ", "名前", "code", "_")]
    assert [function.slug for function in made] == ["plugin", "plugin-2", "code-2", "plugin-3"]
    assert [plugin(function).key for function in made] == ["ключ", "名前", "code", "_"]


@pytest.mark.parametrize("again", ["twice", "TWICE"])
async def test_a_key_is_given_once(keeping: Keeping, again: str):
    await keeping.plugins.create(keeping.admin, draft("twice"))
    await refused("conflict", keeping.plugins.create(keeping.admin, draft(again, MAIN)), field="id")
    assert not await keeping.store.table("sources", keeping.admin.tenant).count({"source": MAIN})


@pytest.mark.parametrize(
    ("fault", "field", "code"),
    [
        ({"content": "def main(:"}, "content", "invalid"),
        ({"content": "x = 1\n"}, "content", "invalid"),
        ({"content": "#" * (CODE_BYTES + 1)}, "content", "too_large"),
        ({"name": "n" * 256}, "name", "invalid"),
        ({"name": "nul\0"}, "name", "invalid"),
        ({"meta": {"big": "x" * (64 << 10)}}, "meta", "invalid"),
        ({"meta": {"whole": 2**63}}, "meta", "invalid"),
        ({"meta": {"within": [{"$ref": "a", "$id": 1}]}}, "meta", "invalid"),
    ],
)
async def test_what_is_refused_leaves_nothing(keeping: Keeping, fault: dict[str, Any], field: str, code: Any):
    wanted = msgspec.structs.replace(draft("refused"), **fault)
    await refused(code, keeping.plugins.create(keeping.admin, wanted), field=field)
    assert await keeping.plugins.listed(keeping.admin) == []
    await keeping.plugins.create(keeping.admin, draft("refused", MAIN))
    await refused(code, keeping.plugins.update(keeping.admin, "refused", wanted), field=field)
    shown = await keeping.plugins.shown(keeping.admin, "refused")
    assert (shown.content, shown.function.revision) == (MAIN, 1)
    tenant = keeping.admin.tenant
    assert [row["source"] for row in await keeping.store.table("sources", tenant).many({}, limit=9)] == [MAIN]
    assert await keeping.store.table("versions", tenant).count({}) == 1


async def test_a_frontmatter_that_is_too_long_is_refused(opened: Open):
    keeping = opened("frontmatter")
    meta = {"note": "x" * ((64 << 10) - 1000)}
    content = '"""\n' + "".join(f"{'abcdefghij'[number]}: {'y' * 200}\n" for number in range(10)) + '"""\n' + MAIN
    wanted = Draft(key="long", name="Long", content=content, meta=meta)
    await refused("invalid", keeping.plugins.create(keeping.admin, wanted), field="meta")


async def test_meta_is_kept_whatever_its_keys(keeping: Keeping):
    odd = {"$set": 1, "a.b": {"$ref": "c"}, "": [None, {"$id": {"x": True}}], "é": "ß"}
    await keeping.plugins.create(keeping.admin, draft("odd", **odd))
    await keeping.plugins.update(keeping.admin, "odd", draft("odd", MAIN, **odd))
    meta = plugin((await keeping.plugins.shown(keeping.admin, "odd")).function).meta
    assert {key: meta[key] for key in odd} == odd


async def test_an_update_replaces_name_content_and_meta(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("changing", description="old", extra=1))
    await keeping.plugins.toggle(keeping.admin, "changing")
    await keeping.plugins.toggle_global(keeping.admin, "changing")
    wanted = draft("another_key", MAIN, name="Other", description="new")
    shown = await keeping.plugins.update(keeping.admin, "changing", wanted, message="for main")
    now = shown.function
    assert shown.content == MAIN
    assert (now.id, now.name, now.deployed_as, now.slug) == (made.id, "Other", "changing", "changing")
    assert (plugin(now).key, plugin(now).kind) == ("changing", "function")
    assert plugin(now).meta == {"description": "new", "manifest": {}, "toggle": False}
    assert (now.is_active, plugin(now).is_global) == (True, True)
    assert now.updated_at > made.updated_at
    assert now == await keeping.plugins.named(keeping.admin, "changing")
    newest, oldest = await keeping.sources.of(made.id, limit=9)
    assert (newest.message, oldest.message) == ("for main", "")
    assert now.active is not None
    assert now.active.id == newest.id


async def test_the_same_content_is_no_new_version(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("same"))
    shown = await keeping.plugins.update(keeping.admin, "same", draft("same", name="Other", tag="t"))
    assert shown.function.active == made.active
    assert (shown.function.name, plugin(shown.function).meta["tag"]) == ("Other", "t")
    assert await keeping.sources.count(made.id) == 1


@pytest.mark.parametrize("key", ["none", "", "x" * 1000])
async def test_unknown_keys(keeping: Keeping, key: str):
    plugins, admin = keeping.plugins, keeping.admin
    for doing in (
        lambda: plugins.shown(admin, key),
        lambda: plugins.update(admin, key, draft(key)),
        lambda: plugins.toggle(admin, key),
        lambda: plugins.toggle_global(admin, key),
        lambda: plugins.named(admin, key),
        lambda: keeping.versions.listed(admin, key, limit=1, skip=0),
        lambda: keeping.versions.diff(admin, key, before=1, after=2),
        lambda: keeping.versions.use(admin, key, 1),
    ):
        await refused("not_found", doing(), match="Function not found")
    await plugins.delete(admin, key)


async def test_valves_that_are_set_have_to_fit_new_code(keeping: Keeping, keyring: Keyring):
    await keeping.plugins.create(keeping.admin, draft("fitting", valved("word: str = 'a'")))
    await keeping.plugins.toggle(keeping.admin, "fitting")
    made = await keeping.plugins.named(keeping.admin, "fitting")
    sealed = keyring.seal(b'{"word":"many"}', place=valves_place(made.tenant, made.id))
    await set_valves(keeping, "fitting", sealed)
    before = await keeping.plugins.shown(keeping.admin, "fitting")
    wanted = draft("fitting", valved("word: int = 1"), name="Other")
    problem = await refused("invalid", keeping.plugins.update(keeping.admin, "fitting", wanted), field="valves")
    assert problem.message.startswith("Current Valves are incompatible with this code: 1 validation error for Valves")
    assert "many" not in problem.message, "who may write need not be one who may read"
    assert await keeping.plugins.shown(keeping.admin, "fitting") == before
    assert await keeping.sources.count(made.id) == 1
    after = await keeping.plugins.update(keeping.admin, "fitting", draft("fitting", valved("word: str", number=1)))
    assert plugin(after.function).valves == sealed


async def test_valves_that_become_secret_are_sealed(keeping: Keeping, keyring: Keyring):
    made = await keeping.plugins.create(keeping.admin, draft("sealing", valved("word: str = ''")))
    await set_valves(keeping, "sealing", '{"word":"plain"}')
    other = await keeping.plugins.update(keeping.admin, "sealing", draft("sealing", valved("word: str = 'x'")))
    assert plugin(other.function).valves == '{"word":"plain"}'
    secret = valved("word: str = Field('', json_schema_extra={'input': {'type': 'password'}})")
    after = await keeping.plugins.update(keeping.admin, "sealing", draft("sealing", secret))
    known = plugin(after.function)
    assert known.secret_valves
    assert keyring.unseal(known.valves, place=valves_place(made.tenant, made.id)) == b'{"word":"plain"}'


async def test_without_a_key_they_cannot_become_secret(opened: Open):
    keeping = opened("keyless", keyring=Keyring([]))
    await keeping.plugins.create(keeping.admin, draft("keyless", valved("word: str = ''")))
    secret = draft("keyless", valved("word: str = Field('', json_schema_extra={'input': {'type': 'password'}})"))
    await keeping.plugins.update(keeping.admin, "keyless", secret)  # none are set
    await keeping.plugins.update(keeping.admin, "keyless", draft("keyless", valved("word: str = ''")))
    await set_valves(keeping, "keyless", '{"word":"plain"}')
    await refused("unavailable", keeping.plugins.update(keeping.admin, "keyless", secret), match="SHOAL_SECRET_KEY")
    now = await keeping.plugins.named(keeping.admin, "keyless")
    assert (plugin(now).valves, plugin(now).secret_valves) == ('{"word":"plain"}', False)


async def test_valves_that_no_key_opens_stop_an_update(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("lost", valved("word: str = ''")))
    lost = Keyring([b"l" * 32]).seal(b"{}", place=valves_place(made.tenant, made.id))
    await set_valves(keeping, "lost", lost)
    wanted = draft("lost", valved("word: str = 'x'"))
    await refused("unavailable", keeping.plugins.update(keeping.admin, "lost", wanted), match="cannot be opened")
    await keeping.plugins.delete(keeping.admin, "lost")  # or whoever looks through the store finds it


async def test_switches(keeping: Keeping):
    await keeping.plugins.create(keeping.admin, draft("switch"))
    on = await keeping.plugins.toggle(keeping.admin, "switch")
    assert (on.function.is_active, plugin(on.function).is_global, on.content) == (True, False, FILTER)
    everywhere = await keeping.plugins.toggle_global(keeping.admin, "switch")
    assert (everywhere.function.is_active, plugin(everywhere.function).is_global) == (True, True)
    off = await keeping.plugins.toggle(keeping.admin, "switch")
    assert (off.function.is_active, plugin(off.function).is_global) == (False, True)


async def test_lists(keeping: Keeping):
    plugins, admin = keeping.plugins, keeping.admin
    owner = await account(keeping.store, "owner", tenant=admin.tenant, role="admin")
    as_owner = msgspec.structs.replace(admin, user=owner.user)
    made = [await plugins.create(who, draft(key)) for key, who in (("a", as_owner), ("b", admin), ("c", as_owner))]
    await plugins.toggle(admin, "a")
    await plugins.create(admin, draft("gone", MAIN))
    await plugins.delete(admin, "gone")
    assert [plugin(function).key for function in await plugins.listed(admin)] == ["a", "b", "c"]
    owned = [(plugin(one.function).key, one.owner and one.owner.id) for one in await plugins.with_owners(admin)]
    assert owned == [("a", owner.id), ("c", owner.id), ("b", None)]
    exported = await plugins.exported(admin)
    assert [(shown.function.id, shown.content) for shown in exported] == [(function.id, FILTER) for function in made]


async def test_an_export_has_a_bound(keeping: Keeping, monkeypatch: pytest.MonkeyPatch):
    for number in range(12):
        await keeping.plugins.create(keeping.admin, draft(f"k{number}", f"{MAIN}# {number}"))
    assert len(await keeping.plugins.exported(keeping.admin)) == 12
    monkeypatch.setattr("services.api.core.plugin_contents.MOST_BYTES", 100)
    await refused("too_large", keeping.plugins.exported(keeping.admin))


async def test_a_source_counts_as_often_as_it_is_shown(keeping: Keeping, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.api.core.plugin_contents.MOST_BYTES", 3 * len(MAIN))
    for key in ("a", "b", "c"):
        await keeping.plugins.create(keeping.admin, draft(key, MAIN))
    assert {one.content for one in await keeping.plugins.exported(keeping.admin)} == {MAIN}
    await keeping.plugins.create(keeping.admin, draft("d", MAIN))
    await refused("too_large", keeping.plugins.exported(keeping.admin))


async def test_a_tenant_exports_only_so_often_at_once(keeping: Keeping):
    for number in range(12):
        await keeping.plugins.create(keeping.admin, draft(f"k{number}", f"{MAIN}# {number}"))
    asked = [keeping.plugins.exported(keeping.admin) for _ in range(9)]
    problems = [one for one in await asyncio.gather(*asked, return_exceptions=True) if isinstance(one, BaseException)]
    assert 0 < len(problems) < 9
    assert {one.code for one in problems if isinstance(one, Problem)} == {"rate_limited"}
    assert len(await keeping.plugins.exported(keeping.admin)) == 12


async def test_another_tenants_plugins_are_nobodys(opened: Open):
    one, other = opened("one"), opened("other")
    await one.plugins.create(one.admin, draft("mine"))
    assert await other.plugins.listed(other.admin) == []
    await refused("not_found", other.plugins.shown(other.admin, "mine"))
    await other.plugins.delete(other.admin, "mine")
    await other.plugins.create(other.admin, draft("mine"))
    assert (await one.plugins.shown(one.admin, "mine")).function.tenant == "one"


@pytest.mark.parametrize("role", ["user", "developer"])
async def test_roles(keeping: Keeping, role: Any):
    plugins, versions, caller = keeping.plugins, keeping.versions, keeping.of_role(role)
    await plugins.create(keeping.admin, draft("guarded"))
    assert len(await plugins.listed(caller)) == 1
    for doing in (
        lambda: plugins.with_owners(caller),
        lambda: plugins.exported(caller),
        lambda: plugins.create(caller, draft("x")),
        lambda: plugins.shown(caller, "guarded"),
        lambda: plugins.update(caller, "guarded", draft("guarded")),
        lambda: plugins.toggle(caller, "guarded"),
        lambda: plugins.toggle_global(caller, "guarded"),
        lambda: plugins.delete(caller, "guarded"),
        lambda: versions.listed(caller, "guarded", limit=1, skip=0),
        lambda: versions.diff(caller, "guarded", before=1, after=1),
        lambda: versions.use(caller, "guarded", 1),
    ):
        await refused("forbidden", doing())
    assert (await keeping.functions.by_key("guarded")) is not None


async def test_scopes(keeping: Keeping):
    await keeping.plugins.create(keeping.admin, draft("scoped"))
    reader = msgspec.structs.replace(keeping.admin, scopes=frozenset({"functions:read"}))
    writer = msgspec.structs.replace(keeping.admin, scopes=frozenset({"functions:write"}))
    assert (await keeping.plugins.shown(reader, "scoped")).content == FILTER
    await refused("forbidden", keeping.plugins.toggle(reader, "scoped"))
    assert (await keeping.plugins.toggle(writer, "scoped")).function.is_active
    await refused("forbidden", keeping.plugins.listed(writer))


async def test_all_that_belongs_to_a_plugin_goes_with_it(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("going"))
    await keeping.plugins.update(keeping.admin, "going", draft("going", MAIN))
    user_valves = UserValves(keeping.store, made.tenant)
    await user_valves.keep(made.id, 5, '{"a":1}')
    await keeping.plugins.delete(keeping.admin, "going")
    assert await keeping.functions.by_id(made.id) is None
    for collection in ("versions", "sources", "user_valves", "functions"):
        assert not await keeping.store.table(collection, made.tenant).count({}), collection
    [last] = await keeping.store.table("history", made.tenant).many({"kind": "Deleted"}, limit=9)
    assert last["function_id"] == made.id
    again = await keeping.plugins.create(keeping.admin, draft("going"))
    assert again.id != made.id
    assert again.slug == "going"


async def test_a_deletion_that_was_cut_short_is_one_all_the_same(keeping: Keeping):
    made = await keeping.plugins.create(keeping.admin, draft("cut"))
    await set_valves(keeping, "cut", '{"a": 1}')
    await keeping.functions.retire(made)
    assert await keeping.plugins.listed(keeping.admin) == []
    assert await keeping.plugins.exported(keeping.admin) == []
    assert await keeping.functions.called(made.app, "cut") is None
    await refused("not_found", keeping.plugins.shown(keeping.admin, "cut"))
    await refused("not_found", keeping.plugins.toggle(keeping.admin, "cut"))
    again = await keeping.plugins.create(keeping.admin, draft("cut"))
    assert (again.slug, again.deployed_as) == ("cut", "cut")
    await keeping.plugins.delete(keeping.admin, "cut")
    assert await keeping.sources.count(made.id), "only what was asked for"
    await keeping.plugins.delete(keeping.admin, "cut")
    for collection in ("versions", "sources", "functions"):
        assert not await keeping.store.table(collection, made.tenant).count({}), collection


async def test_a_plugin_is_there_or_not_while_it_is_deleted(keeping: Keeping):
    for _ in range(20):
        await keeping.plugins.create(keeping.admin, draft("going"))
        deleting = asyncio.create_task(keeping.plugins.delete(keeping.admin, "going"))
        while not deleting.done():
            for shown in await keeping.plugins.exported(keeping.admin):
                assert shown.function.active is not None
                assert shown.content == FILTER
        await deleting


async def test_the_bound_of_a_tenant(opened: Open):
    keeping = opened("bounded", most=2)
    for key in ("a", "b"):
        await keeping.plugins.create(keeping.admin, draft(key))
    await refused("invalid", keeping.plugins.create(keeping.admin, draft("c", MAIN)), match="2 plugins already")
    await keeping.plugins.delete(keeping.admin, "a")
    await keeping.plugins.create(keeping.admin, draft("c", MAIN))


async def test_plugins_are_found_by_their_index(keeping: Keeping):
    table = keeping.store.table("functions", keeping.admin.tenant)
    for query in ({"plugin.key": "x", "deleted_at": None}, {"plugin.key": {"$gt": ""}, "deleted_at": None}):
        plan = await table.plan(query, order=[("plugin.key", 1)], limit=10, hint="plugin_key")
        assert plan["executionStats"]["nReturned"] == 0
    for number in range(5):
        await keeping.plugins.create(keeping.admin, draft(f"k{number}"))
    plan = await table.plan({"plugin.key": "k3"}, order=[("plugin.key", 1)], limit=10, hint="plugin_key")
    assert plan["executionStats"]["totalDocsExamined"] == 1
