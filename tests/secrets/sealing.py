"""Functions and apps with something sealed in every place there is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.api.core.credentials import Credentials
from shared import valves
from shared.domain.app import App, EndUsers, env_place, jwt_secret_place
from shared.domain.credentials import place_of
from shared.domain.function import Function
from shared.domain.plugin import Plugin, user_valves_place, valves_place
from shared.domain.signing_secrets import SigningSecret, SigningSecrets
from shared.domain.trigger import Trigger, trigger_place
from shared.secrets import Keyring
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.user_valves import UserValves

TENANT = "acme"
BEARER = {"type": "bearer", "token": "t0ken"}
CUSTOM = {"type": "custom", "headers": {"X-A.b": "one", "$X": "two"}}
# Of a webhook there are several, sealed as one; those of old are one, and nothing but that.
_HOOKS = SigningSecrets(url_key="key", secrets=(SigningSecret(secret="new", created_at=2.0),)).rotated(
    "newer", now=3.0, overlap_s=60.0
)
SEVERAL = msgspec.json.encode(_HOOKS)


async def app_of(store: Store, keyring: Keyring, slug: str) -> App:
    """With two variables and a secret of its end users: three texts."""
    apps = Apps(store, TENANT)
    made = await apps.add(slug, name=slug)
    env = {key: keyring.seal(key.encode(), place=env_place("app", TENANT, made.id, key)) for key in ("A", "B")}
    secret = keyring.seal(b"jwt", place=jwt_secret_place(TENANT, made.id))
    users = msgspec.to_builtins(EndUsers(jwt_secret=secret, issuer="me"))
    changed = await apps.change_at(made, {"env": env, "end_users": users})
    assert changed is not None
    return changed


async def function_of(store: Store, keyring: Keyring, app: App, slug: str, **fields: Any) -> Function:
    """With a variable, a webhook and, unless it is said otherwise, a bearer's token: three texts."""
    functions, now = Functions(store, TENANT), datetime.now(UTC)
    id = await functions.next_id()
    auth = fields.pop("auth_config", BEARER)
    secret = keyring.seal(b"hook" if id % 2 else SEVERAL, place=trigger_place(TENANT, id, "webhook"))
    function = Function(
        id=id, tenant=TENANT, app=app.id, app_slug=app.slug, app_name=app.name, name=slug, slug=slug,
        execution_mode="proxy", created_at=now, updated_at=now,
        auth_config=Credentials(keyring).sealed(auth, tenant=TENANT, function_id=id),
        env={"C": keyring.seal(b"C", place=env_place("function", TENANT, id, "C"))},
        triggers=(Trigger("http", {"auth": "none"}), Trigger("webhook", {"secret": secret, "allowed_sources": "x"})),
        **fields,
    )  # fmt: skip
    await functions.insert(function)
    return function


async def valves_of(store: Store, keyring: Keyring, app: App, key: str, *, users: Sequence[int] = ()) -> Function:
    """A plugin with valves, also of these users: a text each, sealed unless the keyring has no key."""
    functions, now = Functions(store, TENANT), datetime.now(UTC)
    id = await functions.next_id()
    text = valves.kept(b'{"api_key":"k"}', keyring, place=valves_place(TENANT, id), secret=False)
    function = Function(
        id=id, tenant=TENANT, app=app.id, app_slug=app.slug, app_name=app.name, name=key, slug=f"plugin-{key}",
        execution_mode="app", created_at=now, updated_at=now, deployed_as=key,
        plugin=Plugin(key=key, kind="filter", user_id=1, meta={"a": {}}, valves=text),
    )  # fmt: skip
    await functions.insert(function)
    for user in users:
        place = user_valves_place(TENANT, id, user)
        text = valves.kept(b'{"of":%d}' % user, keyring, place=place, secret=False)
        await UserValves(store, TENANT).keep(id, user, text)
    return function


async def opened(store: Store, keyring: Keyring) -> list[str]:
    """All that is sealed, in the clear. Raises SealBrokenError."""
    found = []
    for app in await Apps(store, TENANT).listed(limit=10_000):
        found += [keyring.unseal(text, place=env_place("app", TENANT, app.id, key)) for key, text in app.env.items()]
        found.append(keyring.unseal(app.end_users.jwt_secret, place=jwt_secret_place(TENANT, app.id)))
    for one in await Functions(store, TENANT).listed({}, order=[("id", 1)], limit=10_000, skip=0):
        found += [
            keyring.unseal(text, place=env_place("function", TENANT, one.id, key)) for key, text in one.env.items()
        ]
        if one.plugin is not None:
            found += await _opened_valves(store, keyring, one, one.plugin)
            continue
        secret = one.triggers[1].config["secret"]
        found.append(keyring.unseal(secret, place=trigger_place(TENANT, one.id, "webhook")))
        for where, text in _credentials(one.auth_config):
            found.append(keyring.unseal(text, place=place_of(TENANT, one.id, where)))
    return sorted(text.decode() for text in found)


async def _opened_valves(store: Store, keyring: Keyring, function: Function, plugin: Plugin) -> list[bytes]:
    found = [valves.opened(plugin.valves, keyring, place=valves_place(TENANT, function.id))]
    for of in await store.table("user_valves", TENANT).many({"function_id": function.id}, limit=1000):
        place = user_valves_place(TENANT, function.id, of["user_id"])
        found.append(valves.opened(of["valves"], keyring, place=place))
    return found


def _credentials(config: dict[str, Any]) -> list[tuple[str, str]]:
    if config["type"] == "custom":
        return [(f"headers/{name}", text) for name, text in config["headers"].items()]
    return [("token", config["token"])]
