"""Sealed anew under another key: all of it, without a revision, beside others who write; what is lost is told."""

import asyncio

import msgspec
import pytest

from shared import rotation
from shared.domain.app import env_place
from shared.domain.plugin import user_valves_place
from shared.secrets import Keyring, SealBrokenError, key_of
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.user_valves import UserValves
from tests.secrets.sealing import CUSTOM, TENANT, app_of, function_of, opened, valves_of

OLD_KEY, NEW_KEY, LOST_KEY = b"o" * 32, b"n" * 32, b"l" * 32
OLD, NEW, BOTH, LOST = Keyring([OLD_KEY]), Keyring([NEW_KEY]), Keyring([NEW_KEY, OLD_KEY]), Keyring([LOST_KEY])


async def test_the_old_key_can_go(store: Store):
    app = await app_of(store, OLD, "shop")
    for number in range(450):  # more than are read at once
        await function_of(store, OLD, app, f"f-{number}")
    await function_of(store, OLD, app, "custom", auth_config=CUSTOM)
    before = await opened(store, OLD)
    functions = await Functions(store, TENANT).listed({}, order=[("id", 1)], limit=1000, skip=0)
    report = await rotation.rotate(store, BOTH)
    assert report.resealed == {
        "functions.auth_config": 452,
        "functions.env": 451,
        "functions.triggers": 451,
        "apps.env": 2,
        "apps.end_users": 1,
    }
    assert report.faults == []
    assert (report.under(NEW.first), report.under(OLD.first)) == (len(before), 0)
    assert await opened(store, NEW) == before
    with pytest.raises(SealBrokenError):
        await opened(store, OLD)
    after = await Functions(store, TENANT).listed({}, order=[("id", 1)], limit=1000, skip=0)
    assert [bare(one) for one in after] == [bare(one) for one in functions]  # revisions, too
    assert (await Apps(store, TENANT).named("shop")).revision == app.revision
    assert (await rotation.rotate(store, BOTH)).resealed.total() == 0


def bare(function):
    return msgspec.structs.replace(function, auth_config={}, env={}, triggers=())


async def test_what_others_write_meanwhile_is_not_lost(store: Store):
    """Each writes as the API does: what it has read, with one more value, unless the revision has grown."""
    app = await app_of(store, OLD, "shop")
    made = [await function_of(store, OLD, app, f"f-{number}") for number in range(30)]
    functions = Functions(store, TENANT)
    started = asyncio.Event()

    async def write(id: int) -> None:
        for number in range(20):
            key = f"K{number}"
            sealed = OLD.seal(b"%d" % number, place=env_place("function", TENANT, id, key))
            while True:
                latest = await functions.by_id(id)
                assert latest is not None
                if await functions.change_at(latest, {"env": {**latest.env, key: sealed}}):
                    break
            started.set()

    writing = [asyncio.create_task(write(one.id)) for one in made]
    await started.wait()
    while not all(task.done() for task in writing):
        await rotation.rotate(store, BOTH)
    await asyncio.gather(*writing)
    report = await rotation.rotate(store, BOTH)
    assert report.under(OLD.first) == 0
    assert report.faults == []
    for one in await functions.listed({}, order=[("id", 1)], limit=100, skip=0):
        values = {
            key: NEW.unseal(text, place=env_place("function", TENANT, one.id, key)) for key, text in one.env.items()
        }
        assert values == {"C": b"C", **{f"K{number}": b"%d" % number for number in range(20)}}
        assert one.revision == 21  # of the twenty changes, and of nothing else


async def test_several_at_once(store: Store):
    app = await app_of(store, OLD, "shop")
    for number in range(20):
        await function_of(store, OLD, app, f"f-{number}")
    before = await opened(store, OLD)
    reports = await asyncio.gather(*(rotation.rotate(store, BOTH) for _ in range(3)))
    assert sum(report.resealed.total() for report in reports) == len(before)
    assert await opened(store, NEW) == before


async def test_what_cannot_be_opened_is_told_and_left(store: Store):
    app = await app_of(store, OLD, "shop")
    one = await function_of(store, OLD, app, "one")
    await function_of(store, LOST, app, "lost")
    stolen = await function_of(store, OLD, app, "stolen")
    functions = Functions(store, TENANT)
    await functions.change("stolen", {"env": {"C": one.env["C"]}})  # sealed for another place
    lost = await functions.by_slug("lost")
    report = await rotation.rotate(store, BOTH)
    assert [(fault.collection, fault.field, fault.id) for fault in report.faults] == [
        ("functions", "auth_config", stolen.id - 1),
        ("functions", "env", stolen.id - 1),
        ("functions", "env", stolen.id),
        ("functions", "triggers", stolen.id - 1),
    ]
    assert "another place" in report.faults[2].reason
    assert (report.under(LOST.first), report.under(OLD.first)) == (3, 1)
    assert await functions.by_slug("lost") == lost
    assert [key_of(text) for text in (await Apps(store, TENANT).named("shop")).env.values()] == [NEW.first] * 2


async def test_deleted_functions_are_sealed_anew_too(store: Store):
    """They may come back."""
    app = await app_of(store, OLD, "shop")
    one = await function_of(store, OLD, app, "one")
    await Functions(store, TENANT).change("one", {"deleted_at": one.created_at})
    report = await rotation.rotate(store, BOTH)
    assert report.under(OLD.first) == 0
    assert report.under(NEW.first) == 6


async def test_other_tenants_are_not_forgotten(store: Store):
    for tenant in ("rival", TENANT):
        made = await Apps(store, tenant).add("shop", name="Shop")
        env = {"A": OLD.seal(b"1", place=env_place("app", tenant, made.id, "A"))}
        assert await Apps(store, tenant).change_at(made, {"env": env})
    assert (await rotation.status(store)).under(OLD.first) == 2
    assert (await rotation.rotate(store, BOTH)).resealed.total() == 2


async def test_valves_are_sealed_anew_and_open_ones_left(store: Store):
    """Each user's for his own place; the rest of the plugin, and its revision, stay."""
    app = await app_of(store, OLD, "plugins")
    before = [await valves_of(store, OLD, app, key, users=range(1, 4)) for key in ("redactor", "router")]
    plain = await valves_of(store, Keyring([]), app, "plain", users=[1])
    texts = await opened(store, OLD)
    assert (await rotation.status(store)).left["functions.plugin.valves"] == {OLD.first: 2}
    report = await rotation.rotate(store, BOTH)
    assert report.resealed["functions.plugin.valves"] == 2
    assert report.resealed["user_valves.valves"] == 6
    assert report.faults == []
    assert await opened(store, NEW) == texts
    functions = Functions(store, TENANT)
    for function in before:
        after = await functions.by_id(function.id)
        assert after is not None
        assert after.plugin is not None
        assert function.plugin is not None
        assert key_of(after.plugin.valves) == NEW.first
        same = msgspec.structs.replace(after.plugin, valves=function.plugin.valves)
        assert (same, after.revision) == (function.plugin, function.revision)
    found = await functions.by_id(plain.id)
    assert found is not None
    assert found.plugin == plain.plugin


async def test_valves_of_another_user_are_told(store: Store):
    """Moved from one to another they cannot be opened: they are left, and so is what else the user has."""
    app = await app_of(store, NEW, "plugins")
    plugin = await valves_of(store, OLD, app, "redactor", users=[1, 2])
    table = store.table("user_valves", TENANT)
    first = await table.one({"function_id": plugin.id, "user_id": 1})
    assert first is not None
    await table.set_all({"function_id": plugin.id, "user_id": 2}, {"valves": first["valves"]})
    report = await rotation.rotate(store, BOTH)
    assert [(fault.collection, fault.field) for fault in report.faults] == [("user_valves", "valves")]
    assert report.left["user_valves.valves"] == {NEW.first: 1, OLD.first: 1}


async def test_valves_that_are_set_meanwhile_stand(store: Store):
    app = await app_of(store, OLD, "plugins")
    plugin = await valves_of(store, OLD, app, "redactor", users=range(1, 20))
    own = UserValves(store, TENANT)
    started = asyncio.Event()

    async def write(user: int) -> None:
        for number in range(10):
            text = OLD.seal(b'{"n":%d}' % number, place=user_valves_place(TENANT, plugin.id, user))
            await own.keep(plugin.id, user, text)
            started.set()

    writing = [asyncio.create_task(write(user)) for user in range(1, 20)]
    await started.wait()
    while not all(task.done() for task in writing):
        await rotation.rotate(store, BOTH)
    await asyncio.gather(*writing)
    assert (await rotation.rotate(store, BOTH)).under(OLD.first) == 0
    for user in range(1, 20):
        text = await own.of(plugin.id, user)
        assert NEW.unseal(text, place=user_valves_place(TENANT, plugin.id, user)) == b'{"n":9}'
