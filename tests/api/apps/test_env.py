"""Environment variables: merged, sealed, told to nobody, and nothing lost when two change them at once."""

import asyncio
from typing import Any

import httpx
import pytest

from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.environments import Environments
from services.api.core.history import History
from shared.app_directory import AppDirectory
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import AppChanged, FunctionChanged
from shared.domain.app import env_place
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from shared.secrets import Keyring
from shared.store.client import Store
from tests.api.apps.shop import Shop, refused
from tests.platform import Platform

SECRET = "s3cret-value-nobody-may-see"


async def patch(shop: Shop, name: str, **values: str | None) -> httpx.Response:
    return await shop.ask("PATCH", f"functions/{name}/env", json={"envVars": values})


async def stored(store: Store, function: dict[str, Any]) -> dict[str, Any]:
    found = await store.table("functions", "default").one({"id": int(function["id"])})
    assert found is not None
    return found


async def test_values_are_merged_and_a_null_deletes(shop: Shop, store: Store, keyring: Keyring):
    made = await shop.deploy("f", envVars={"API_KEY": "old", "OLD_VAR": "x", "KEPT": "k"})
    before = await stored(store, made)
    answer = await patch(shop, "f", API_KEY="new-secret", NEW_VAR="ü", OLD_VAR=None, NEVER_WAS=None)
    body = answer.json()
    assert body == {
        "message": "Environment variables updated successfully",
        "function": {"id": made["id"], "name": "f", "updated_at": body["function"]["updated_at"]},
        "updatedKeys": ["API_KEY", "KEPT", "NEW_VAR"],
        "cache_invalidation": {"success": True, "attempts": 1},
    }
    after = await stored(store, made)
    opened = {
        key: keyring.unseal(text, place=env_place("function", "default", after["id"], key)).decode()
        for key, text in after["env"].items()
    }
    assert opened == {"API_KEY": "new-secret", "NEW_VAR": "ü", "KEPT": "k"}
    assert after["env_revision"] == before["env_revision"] + 1
    assert (await shop.show("f"))["envKeys"] == body["updatedKeys"]


async def test_a_change_is_announced(shop: Shop, bus: Bus):
    await shop.deploy("told")
    slug = (await shop.show("told"))["slug"]
    heard: asyncio.Queue[FunctionChanged | AppChanged] = asyncio.Queue()
    await bus.listen(subjects.changed("default", slug), heard.put, body=FunctionChanged)
    await bus.listen(subjects.app("default", shop.app), heard.put, body=AppChanged)
    await bus.client.flush()
    await patch(shop, "told", A="1")
    first = await asyncio.wait_for(heard.get(), timeout=10)
    await shop.ask("PATCH", "env", json={"envVars": {"A": "1"}})
    app = await asyncio.wait_for(heard.get(), timeout=10)
    second = await asyncio.wait_for(heard.get(), timeout=10)
    assert isinstance(app, AppChanged)
    assert isinstance(first, FunctionChanged)
    assert isinstance(second, FunctionChanged)
    assert second.revision == first.revision + 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"envVars": {}}, "envVars must be a non-empty object"),
        ({"envVars": []}, "envVars: Expected `object`"),
        ({"envVars": None}, "envVars: Expected `object`"),
        ({"envVars": "A=1"}, "envVars: Expected `object`"),
        ({}, "envVars: This field is required"),
        ([], "The body is wrong"),
        ({"envVars": {"A": 1}}, "Expected `str | null`"),
        ({"envVars": {"SHOAL_APP_ID": "x"}}, "platform's own"),
        ({"envVars": {"shoal_x": None}}, "platform's own"),
        ({"envVars": {"9A": "x"}}, "not begin with a digit"),
        ({"envVars": {"A B": "x"}}, "letters, digits and _"),
        ({"envVars": {"A" * 257: "x"}}, "1 to 256"),
        ({"envVars": {"A": "x" * 32_769}}, "32768 bytes"),
    ],
)
async def test_what_is_refused(shop: Shop, body: Any, said: str):
    await shop.deploy("f")
    for path in ("functions/f/env", "env"):
        answer = await shop.ask("PATCH", path, json=body)
        assert answer.status_code == 400
        assert said in answer.json()["error"]["message"]
    assert (await shop.show("f"))["envKeys"] == []


async def test_all_together_have_a_bound_too(shop: Shop):
    await shop.deploy("f", envVars={"A": "x" * 32_768, "B": "x" * 32_760})
    assert "65536 bytes" in refused(await patch(shop, "f", C="x" * 9), 400, "VALIDATION_INVALID_SCHEMA")
    assert (await patch(shop, "f", C="x" * 8)).status_code == 200
    assert (await patch(shop, "f", B=None, D="x" * 32_000)).status_code == 200


async def test_of_what_is_not_there(shop: Shop):
    await shop.deploy("f")
    refused(await patch(shop, "nothing", A="1"), 404, "RESOURCE_NOT_FOUND")
    refused(await patch(Shop(shop.client, "no-such-app"), "f", A="1"), 404, "RESOURCE_NOT_FOUND")
    refused(await Shop(shop.client, "no-such-app").ask("GET", "env"), 404, "RESOURCE_NOT_FOUND")
    await shop.ask("DELETE", "functions/f")
    refused(await patch(shop, "f", A="1"), 404, "RESOURCE_NOT_FOUND")


async def test_changes_at_once_lose_nothing(shop: Shop):
    await shop.deploy("busy")
    keys = [f"K{number}" for number in range(15)]
    changes = [patch(shop, "busy", **{key: key}) for key in keys]
    beside = [shop.post("busy", description=str(number)) for number in range(3)]
    answers = await asyncio.gather(*changes, *beside)
    assert {answer.status_code for answer in answers} == {200}
    assert (await shop.show("busy"))["envKeys"] == sorted(keys)
    apps = [shop.ask("PATCH", "env", json={"envVars": {key: key}}) for key in keys]
    assert {answer.status_code for answer in await asyncio.gather(*apps)} == {200}
    assert (await shop.ask("GET", "env")).json()["keys"] == sorted(keys)


async def test_those_of_an_app_reach_all_its_functions(shop: Shop, store: Store, keyring: Keyring):
    made = [await shop.deploy(f"f{number}") for number in range(3)]
    elsewhere = await Shop(shop.client, f"{shop.app}-b").deploy("f")
    await shop.ask("DELETE", "functions/f2")
    before = [await stored(store, one) for one in [*made, elsewhere]]
    assert (await shop.ask("GET", "env")).json() == {"keys": [], "updatedAt": None}
    answer = await shop.ask("PATCH", "env", json={"envVars": {"B": "2", "A": "1", "GONE": None}})
    assert answer.json() == {
        "message": "Environment variables updated successfully",
        "updatedKeys": ["A", "B"],
        "invalidated": {"functions": ["f0", "f1"], "count": 2},
    }
    after = [await stored(store, one) for one in [*made, elsewhere]]
    grown = [
        (b["env_revision"] - a["env_revision"], b["revision"] - a["revision"])
        for a, b in zip(before, after, strict=True)
    ]
    assert grown == [(1, 1)] * 3 + [(0, 0)]
    app = await store.table("apps", "default").one({"slug": shop.app})
    assert app is not None
    assert keyring.unseal(app["env"]["A"], place=env_place("app", "default", app["id"], "A")) == b"1"
    shown = (await shop.ask("GET", "env")).json()
    assert shown["keys"] == ["A", "B"]
    assert shown["updatedAt"].endswith("Z")


async def test_a_value_is_told_nowhere(shop: Shop, store: Store, platform: Platform):
    made = await shop.deploy("quiet", envVars={"API_KEY": SECRET})
    told = [await patch(shop, "quiet", OTHER=SECRET), await shop.ask("PATCH", "env", json={"envVars": {"APP": SECRET}})]
    slug = (await shop.show("quiet"))["slug"]
    paths = ["/api/functions/", *(f"/api/functions/{slug}/{part}" for part in ("", "code/", "history/", "executions/"))]
    paths += [f"/v1/{shop.app}/{part}" for part in ("functions", "functions/quiet", "env")]
    told += [await shop.client.get(path) for path in [*paths, "/api/apps/"]]
    refusal = await patch(shop, "quiet", **{"9": SECRET})
    ran = await shop.client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert {answer.status_code for answer in told} == {200}
    for answer in [*told, refusal, ran]:
        assert SECRET not in answer.text
    assert SECRET not in str(await stored(store, made))
    assert SECRET not in platform.log.read_text()


async def test_without_a_key_of_the_operator_there_are_no_secrets(shop: Shop, bus: Bus, store: Store):
    made = await shop.deploy("keyless")
    user = User(id=1, username="admin", email="admin@localhost")
    directory = Directory(bus, store, believed_s=30)
    keyless = Environments(
        store,
        directory,
        apps=Apps(store, AppDirectory(bus, store, believed_s=30)),
        history=History(store),
        keyring=Keyring([]),
    )
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY") as raised:
        await keyless.change(Caller(tenant="default", user=user, role="admin"), shop.app, "keyless", {"A": "1"})
    assert raised.value.code == "unavailable"
    assert (await stored(store, made))["env"] == {}


async def test_a_call_has_the_function_s_values_before_the_app_s(shop: Shop):
    code = "def handler(request, ctx):\n    return [ctx.env.get(key) for key in ('OWN', 'BOTH', 'APP')]"
    await shop.deploy("reader", code=code, envVars={"OWN": "f", "BOTH": "f"})
    assert (await shop.ask("GET", "fn/reader")).json() == ["f", "f", None]
    await shop.ask("PATCH", "env", json={"envVars": {"BOTH": "a", "APP": "a"}})
    assert (await shop.ask("GET", "fn/reader")).json() == ["f", "f", "a"]
    await patch(shop, "reader", OWN="new", BOTH=None)
    assert (await shop.ask("GET", "fn/reader")).json() == ["new", "a", "a"]
