"""The variables a function sees: its app's, its own before them, the platform's before all; and those it cannot see."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.executor.environment import Environments
from services.executor.mode import Call, Unavailable
from shared import embedded
from shared.domain.app import env_place
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.secrets import Keyring
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.functions import Functions
from tests.executor_host.platform import KEYRING, TENANT, Shoal, answered, running

STRANGE = Keyring([b"x" * 32])


async def told(call: Call) -> Outcome:
    assert call.host is not None
    return answered(msgspec.json.encode(await call.host.environment()))


async def seen(shoal: Shoal, function: Function) -> dict[str, str]:
    outcome = await shoal.call(function)
    assert outcome.response is not None, outcome.message
    return msgspec.json.decode(outcome.response.body, type=dict[str, str])


def sealed(owner: Any, id: int, keyring: Keyring = KEYRING, **values: str) -> dict[str, str]:
    return {key: keyring.seal(text.encode(), place=env_place(owner, TENANT, id, key)) for key, text in values.items()}


async def of_app(shoal: Shoal, **values: str) -> None:
    """As the API does it: the app first, then all its functions are told."""
    apps = Apps(shoal.store, TENANT)
    now = datetime.now(UTC)
    assert await apps.change_at(await apps.named("shop"), {"env": sealed("app", shoal.app.id, **values)})
    await Functions(shoal.store, TENANT).renew_env(shoal.app.id, updated_at=now)


async def own(shoal: Shoal, function: Function, **values: str) -> Function:
    functions = Functions(shoal.store, TENANT)
    latest = await functions.by_id(function.id)
    assert latest is not None
    env = sealed("function", function.id, **values)
    changed = await functions.change_at(latest, {"env": env, "env_revision": latest.env_revision + 1})
    assert changed is not None
    return changed


async def test_who_goes_before_whom(host_servers: embedded.Servers):
    async with running(host_servers, api_url="https://shoal.test") as shoal:
        function = await shoal.function("Hello World", told)
        await of_app(shoal, A="app", B="app", SHOAL_APP_ID="app")
        function = await own(shoal, function, B="own", C="own ✓", SHOAL_FUNCTION_NAME="own")
        assert await seen(shoal, function) == {
            "A": "app",
            "B": "own",
            "C": "own ✓",
            "SHOAL_APP_ID": shoal.app.public_id,
            "SHOAL_APP_NAME": "Shop",
            "SHOAL_FUNCTION_ID": str(function.id),
            "SHOAL_FUNCTION_NAME": "Hello World",
            "SHOAL_API_URL": "https://shoal.test",
        }


async def test_a_change_is_seen_by_the_next_call_that_knows_of_it(shoal: Shoal):
    """Without any notice: the revision that a command has seen says how new the values must be."""
    function = await shoal.function("f", told)
    functions = Functions(shoal.store, TENANT)
    for value in ("1", "2", "3"):
        await of_app(shoal, A=value)
        latest = await functions.by_id(function.id)
        assert latest is not None
        assert (await seen(shoal, latest))["A"] == value
        latest = await own(shoal, latest, B=value)
        assert (await seen(shoal, latest))["B"] == value


@pytest.mark.parametrize("owner", ["app", "function"])
async def test_what_cannot_be_opened_fails_the_call_and_says_so(shoal: Shoal, owner: str):
    function = await shoal.function("f", told)
    functions, apps = Functions(shoal.store, TENANT), Apps(shoal.store, TENANT)
    if owner == "app":
        env = sealed("app", shoal.app.id, STRANGE, TOKEN="s3cret")
        assert await apps.change_at(await apps.named("shop"), {"env": env})
    else:
        env = sealed("function", function.id, STRANGE, TOKEN="s3cret")
        function = await functions.change(function.slug, {"env": env})
    outcome = await shoal.call(function)
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SecretUnreadable")
    assert outcome.error.startswith("The environment variable 'TOKEN' cannot be opened: sealed by the key ")
    assert "s3cret" not in outcome.error


async def test_values_do_not_open_for_another_function(shoal: Shoal):
    one, other = await shoal.function("one", told), await shoal.function("other", told)
    moved = await Functions(shoal.store, TENANT).change("other", {"env": sealed("function", one.id, A="1")})
    assert (await shoal.call(moved)).error_type == "SecretUnreadable"
    assert other.id != one.id


async def test_a_store_that_is_away(shoal: Shoal):
    """The call is handed back: nothing of it has run."""
    function = await shoal.function("f", told)
    store = Store("mongodb://127.0.0.1:1", database="none", timeout_s=0.2)
    try:
        with pytest.raises(Unavailable):
            await Environments(store, KEYRING, api_url="", cache_s=30).of(function)
    finally:
        store.close()
