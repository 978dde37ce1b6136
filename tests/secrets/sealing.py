"""Functions and apps with something sealed in every place there is."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.api.core.credentials import Credentials
from shared.domain.app import App, EndUsers, env_place, jwt_secret_place
from shared.domain.credentials import place_of
from shared.domain.function import Function
from shared.domain.signing_secrets import SigningSecret, SigningSecrets
from shared.domain.trigger import Trigger, trigger_place
from shared.secrets import Keyring
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.functions import Functions

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
        secret = one.triggers[1].config["secret"]
        found.append(keyring.unseal(secret, place=trigger_place(TENANT, one.id, "webhook")))
        for where, text in _credentials(one.auth_config):
            found.append(keyring.unseal(text, place=place_of(TENANT, one.id, where)))
    return sorted(text.decode() for text in found)


def _credentials(config: dict[str, Any]) -> list[tuple[str, str]]:
    if config["type"] == "custom":
        return [(f"headers/{name}", text) for name, text in config["headers"].items()]
    return [("token", config["token"])]
