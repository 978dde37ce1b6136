"""Valves of plugins and of users: checked by their code, replaced as a whole, sealed, and each user's own."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.api.core.plugins import Draft
from shared.bus.broker import Bus
from shared.domain.caller import SCOPES, Caller
from shared.domain.problem import Problem
from shared.secrets import Keyring, key_of
from shared.store.client import Store
from tests.api.valves.conftest import KEYED, PLAIN, REDACTOR, Kept, Open, entry
from tests.platform import Platform


async def refused(work: Any, code: str) -> Problem:
    with pytest.raises(Problem) as raised:
        await work
    assert raised.value.code == code, raised.value.message
    return raised.value


async def test_unset_valves_are_empty(kept: Kept):
    await kept.made("redactor")
    assert await kept.valves.of(kept.admin, "redactor") == {}
    assert await kept.valves.of_user(kept.of_role("user"), "redactor") == {}
    assert kept.valves.opened(await kept.now("redactor")) == {}


async def test_they_are_replaced_and_not_merged(kept: Kept):
    before = await kept.made("redactor")
    said = await kept.valves.replace(kept.admin, "redactor", {"priority": 3, "mask": "#"})
    assert said == {"priority": 3, "mask": "#"} == await kept.valves.of(kept.admin, "redactor")
    said = await kept.valves.replace(kept.admin, "redactor", {"words": ["x"], "mask": None})
    assert said == {"words": ["x"]} == await kept.valves.of(kept.admin, "redactor")
    after = await kept.now("redactor")
    assert after.revision == before.revision + 2  # executors read it anew
    assert after.updated_at > before.updated_at
    assert kept.valves.opened(after) == {"words": ["x"]}
    assert await kept.valves.replace(kept.admin, "redactor", {}) == {}
    assert await kept.valves.of(kept.admin, "redactor") == {}


async def test_what_the_model_makes_of_them_is_kept(kept: Kept):
    await kept.made("redactor")
    assert await kept.valves.replace(kept.admin, "redactor", {"priority": "7"}) == {"priority": 7}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"priority": "high"}, "priority"),
        ({"words": {"a": 1}}, "words"),
        ({"mask": "x" * 70_000}, "valves must not be longer than 65536 bytes"),
        ({"words": [2**70]}, "64 bits"),
        ({"deep": [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}, "nested deeper"),
    ],
    ids=["type", "shape", "size", "number", "depth"],
)
async def test_what_does_not_fit_changes_nothing(kept: Kept, values: dict[str, Any], told: str):
    await kept.made("redactor")
    await kept.valves.replace(kept.admin, "redactor", {"priority": 1})
    before, user = await kept.now("redactor"), kept.of_role("user")
    problem = await refused(kept.valves.replace(kept.admin, "redactor", values), "invalid")
    assert "valves" in problem.fields
    assert told in problem.message
    assert await kept.now("redactor") == before
    if "priority" not in values and "words" not in values:
        await refused(kept.valves.replace_for_user(user, "redactor", values), "invalid")
    await refused(kept.valves.replace_for_user(user, "redactor", {"limit": "many"}), "invalid")
    assert await kept.valves.of_user(user, "redactor") == {}


async def test_code_without_valves(kept: Kept):
    await kept.made("plain", PLAIN)
    assert bytes(await kept.valves.spec(kept.admin, "plain")) == b"null"
    assert bytes(await kept.valves.spec_for_user(kept.of_role("user"), "plain")) == b"null"
    await refused(kept.valves.replace(kept.admin, "plain", {"a": 1}), "not_found")
    await refused(kept.valves.replace_for_user(kept.of_role("user"), "plain", {"a": 1}), "not_found")
    assert await kept.of_user("plain", 2) == ""


async def test_specs(kept: Kept):
    await kept.made("redactor")
    spec = msgspec.json.decode(await kept.valves.spec(kept.admin, "redactor"))
    assert spec["title"] == "Valves"
    assert spec["properties"]["priority"] == {"default": 0, "title": "Priority", "type": "integer"}
    users = msgspec.json.decode(await kept.valves.spec_for_user(kept.of_role("user"), "redactor"))
    assert (users["title"], set(users["properties"])) == ("UserValves", {"mask", "limit"})


async def test_unknown_keys(kept: Kept):
    await kept.made("redactor")
    valves, admin = kept.valves, kept.admin
    for key in ("nobody", "Redactor", ""):
        for work in (
            valves.of(admin, key),
            valves.spec(admin, key),
            valves.replace(admin, key, {}),
            valves.of_user(admin, key),
            valves.spec_for_user(admin, key),
            valves.replace_for_user(admin, key, {}),
        ):
            await refused(work, "not_found")


async def test_who_may(kept: Kept):
    """Of the plugins' own only administrators know; their own everybody has. The role goes before the key."""
    valves, user, developer = kept.valves, kept.of_role("user"), kept.of_role("developer")
    for caller in (user, developer):
        for work in (valves.of(caller, "none"), valves.spec(caller, "none"), valves.replace(caller, "none", {})):
            await refused(work, "forbidden")
    await kept.made("redactor")
    for caller in (user, developer, kept.admin):
        assert await valves.replace_for_user(caller, "redactor", {"limit": 3}) == {"limit": 3}
        assert await valves.of_user(caller, "redactor") == {"limit": 3}
        assert bytes(await valves.spec_for_user(caller, "redactor")) != b"null"

    def without(scope: Any) -> Caller:
        return kept.of_role("admin", id=1, scopes=SCOPES - {scope})

    reader, writer, runner = without("functions:read"), without("functions:write"), without("functions:execute")
    await refused(valves.of(reader, "redactor"), "forbidden")
    await refused(valves.of_user(reader, "redactor"), "forbidden")
    await refused(valves.replace(writer, "redactor", {}), "forbidden")
    await refused(valves.replace_for_user(runner, "redactor", {}), "forbidden")


async def test_each_user_has_his_own(kept: Kept, open_core: Open):
    await kept.made("redactor")
    await kept.made("other")
    ada, bob = kept.of_role("user", id=11), kept.of_role("developer", id=12)
    await kept.valves.replace_for_user(ada, "redactor", {"mask": "a", "limit": 1})
    await kept.valves.replace_for_user(bob, "redactor", {"mask": "b"})
    await kept.valves.replace_for_user(ada, "redactor", {"limit": 2, "mask": None})
    assert await kept.valves.of_user(ada, "redactor") == {"limit": 2}
    assert await kept.valves.of_user(bob, "redactor") == {"mask": "b"}
    assert await kept.valves.of_user(kept.admin, "redactor") == {}
    assert await kept.valves.of_user(ada, "other") == {}
    assert await kept.valves.of(kept.admin, "redactor") == {}
    rival = open_core(f"{kept.tenant}-rival")
    await rival.made("redactor")
    assert await rival.valves.of_user(rival.of_role("user", id=11), "redactor") == {}


async def test_valves_of_users_of_what_is_not_active(kept: Kept):
    await kept.made("redactor")
    user = kept.of_role("user")
    await kept.valves.replace_for_user(user, "redactor", {"limit": 4})
    await kept.plugins.toggle(kept.admin, "redactor")
    for caller in (user, kept.admin):
        assert bytes(await kept.valves.spec_for_user(caller, "redactor")) == b"null"
        problem = await refused(kept.valves.replace_for_user(caller, "redactor", {"limit": 5}), "invalid")
        assert problem.message == "Function is not active"
    assert await kept.valves.of_user(user, "redactor") == {"limit": 4}
    assert await kept.valves.replace(kept.admin, "redactor", {"priority": 1}) == {"priority": 1}
    assert bytes(await kept.valves.spec(kept.admin, "redactor")) != b"null"


async def everywhere(store: Store) -> bytes:
    """All that is in the store."""
    database = store._client["shoal"]
    found = []
    for name in await database.list_collection_names():
        found += [repr(document) async for document in database[name].find({})]
    return "\n".join(found).encode()


def streams(folder: Path) -> bytes:
    """All that the bus has on disk."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_no_secret_is_anywhere_in_the_clear(kept: Kept, platform: Platform, store: Store, bus: Bus):
    made = await kept.made("keyed", KEYED)
    assert made.plugin is not None
    assert made.plugin.secret_valves
    secrets = [b"s3cr3t-of-plugin", b"s3cr3t-of-user", b"s3cr3t-of-sync", b"s3cr3t-refused"]
    heard: list[bytes] = []
    await bus.hear(">", lambda data, _subject: heard.append(data))
    await bus.client.flush()
    user = kept.of_role("user")
    await kept.valves.replace(kept.admin, "keyed", {"api_key": secrets[0].decode(), "tries": 2})
    await kept.valves.replace_for_user(user, "keyed", {"token": secrets[1].decode()})
    await refused(kept.valves.replace(kept.admin, "keyed", {"api_key": secrets[3].decode(), "tries": "x"}), "invalid")
    assert await kept.valves.of(kept.admin, "keyed") == {"api_key": "s3cr3t-of-plugin", "tries": 2}
    assert await kept.valves.of_user(user, "keyed") == {"token": "s3cr3t-of-user"}
    stored, logs = await everywhere(store), platform.log.read_bytes()
    await kept.synced(entry("keyed", KEYED, valves={"api_key": secrets[2].decode()}))
    stored += await everywhere(store)
    await bus.client.flush()
    assert heard
    for name, text in (
        ("store", stored),
        ("streams", streams(platform.data_dir / "nats")),
        ("messages", b"\n".join(heard)),
        ("log", logs),
    ):
        assert not [secret for secret in secrets if secret in text], name
    assert b"keyed" in stored  # we did look


async def test_nothing_secret_is_kept_without_a_key(kept: Kept, open_core: Open):
    bare = open_core(kept.tenant, keyring=Keyring([]))
    await kept.made("keyed", KEYED)
    await kept.valves.replace(kept.admin, "keyed", {"tries": 2})
    before = await kept.now("keyed")
    assert before.plugin is not None
    assert key_of(before.plugin.valves)
    await refused(bare.valves.of(bare.admin, "keyed"), "unavailable")
    with pytest.raises(Problem):
        bare.valves.opened(before)


async def met(work: Any) -> None:
    """Code and valves that need not fit what others have made of the other."""
    try:
        await work
    except Problem as problem:
        if problem.code not in {"invalid", "conflict"}:
            raise


async def test_the_code_that_is_active_then_has_checked_them(kept: Kept):
    """Beside changes of the code: what is kept fits the code that is there in the end, or is not kept."""
    texts = REDACTOR.replace("priority: int = 0", 'priority: str = ""')
    await kept.made("redactor")
    drafts = [Draft(key="redactor", name="R", content=content) for content in (texts, REDACTOR)]

    async def recode() -> None:
        for number in range(6):
            await met(kept.plugins.update(kept.admin, "redactor", drafts[number % 2]))

    async def replace(values: dict[str, Any]) -> None:
        for _ in range(6):
            await met(kept.valves.replace(kept.admin, "redactor", values))
            function = await kept.now("redactor")
            assert function.active is not None

    async with asyncio.timeout(60):
        await asyncio.gather(recode(), replace({"priority": 5}), replace({"priority": "x"}))
    values = await kept.valves.of(kept.admin, "redactor")
    assert await kept.valves.replace(kept.admin, "redactor", values) == values  # they fit


async def test_changes_side_by_side_are_whole(kept: Kept):
    await kept.made("redactor")
    wanted = [{"priority": number, "mask": str(number)} for number in range(6)]
    toggles = (kept.plugins.toggle_global(kept.admin, "redactor") for _ in range(6))
    replaced = (kept.valves.replace(kept.admin, "redactor", values) for values in wanted)
    await asyncio.gather(*replaced, *toggles)
    after = await kept.now("redactor")
    assert kept.valves.opened(after) in wanted
    assert after.plugin is not None
    assert not after.plugin.is_global


async def test_they_go_with_the_plugin(kept: Kept):
    await kept.made("redactor")
    user = kept.of_role("user")
    for number in range(5):
        await kept.valves.replace_for_user(user, "redactor", {"limit": number})
    setting = [
        asyncio.create_task(kept.valves.replace_for_user(kept.of_role("user", id=id), "redactor", {"limit": 1}))
        for id in range(20, 26)
    ]
    await kept.plugins.delete(kept.admin, "redactor")
    outcomes = await asyncio.gather(*setting, return_exceptions=True)
    assert all(isinstance(outcome, dict | Problem) for outcome in outcomes)
    assert await kept.store.table("user_valves", kept.tenant).count({}) == 0
    await kept.made("redactor")
    assert await kept.valves.of_user(user, "redactor") == {}
