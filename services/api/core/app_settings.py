"""What an app is called, which pages may call it, and how its end users prove who they are."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from services.api.core.apps import Apps
from services.api.core.rights import must_administer, must_read
from shared.callers.end_users import LEAST_SECRET, secret_place
from shared.domain.app import App, EndUsers
from shared.domain.caller import Caller
from shared.domain.origin import origins_of
from shared.domain.problem import Problem, wrong
from shared.domain.trigger import MAX_SECRET, SHOWN_SECRET
from shared.domain.webhook import check_url
from shared.secrets import Keyring
from shared.store import apps as stored
from shared.store.client import Store

_TRIES = 60  # each is lost only to another change of the same app in the same moment


class EndUsersChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is not set stays as it is; the empty text takes it away. `jwt_secret` is not sealed yet."""

    jwt_secret: str | UnsetType = UNSET
    jwks_url: str | UnsetType = UNSET
    issuer: str | UnsetType = UNSET
    audience: str | UnsetType = UNSET
    user_claim: str | UnsetType = UNSET


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is not set stays as it is."""

    name: str | UnsetType = UNSET
    allowed_origins: list[str] | UnsetType = UNSET
    end_users: EndUsersChange | UnsetType = UNSET


class AppSettings:
    """What can be done with settings. Every method raises Problem(forbidden, not_found, unavailable)."""

    def __init__(self, store: Store, apps: Apps, keyring: Keyring) -> None:
        self._store = store
        self._apps = apps
        self._keyring = keyring

    async def shown(self, caller: Caller, named: str) -> App:
        """The app of this public id or slug."""
        must_read(caller)
        return await self._apps.existing(caller, named)

    async def change(self, caller: Caller, named: str, change: Change) -> App:
        """Change them. Raises Problem(invalid, conflict)."""
        must_administer(caller)
        latest = await self._apps.existing(caller, named)
        for _ in range(_TRIES):
            values = self._values(latest, change)
            changed = await stored.Apps(self._store, caller.tenant).change_at(latest, values) if values else latest
            if changed is not None:
                await self._apps.announce(changed)
                return changed if change.name is UNSET else await self._apps.rename(caller, changed.slug, change.name)
            latest = await self._apps.existing(caller, named)
        raise Problem("conflict", "The app is being changed by others; try again in a moment")

    def _values(self, app: App, change: Change) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if change.allowed_origins is not UNSET:
            values["allowed_origins"] = origins_of(change.allowed_origins, field="allowed_origins")
        if change.end_users is not UNSET:
            values["end_users"] = msgspec.to_builtins(self._end_users(app, change.end_users))
        return values

    def _end_users(self, app: App, change: EndUsersChange) -> EndUsers:
        named = {field: value for field, value in msgspec.structs.asdict(change).items() if value is not UNSET}
        secret = named.pop("jwt_secret", SHOWN_SECRET)
        if named.get("jwks_url"):
            check_url(named["jwks_url"], field="end_users.jwks_url")
        if named.get("user_claim") == "":
            named["user_claim"] = EndUsers().user_claim
        kept = app.end_users.jwt_secret
        return msgspec.structs.replace(
            app.end_users, jwt_secret=kept if secret == SHOWN_SECRET else self._sealed(app, secret), **named
        )

    def _sealed(self, app: App, secret: str) -> str:
        if not secret:
            return ""
        size, field = len(secret.encode()), "end_users.jwt_secret"
        if not LEAST_SECRET <= size <= MAX_SECRET:
            raise wrong(field, f"{field} must have {LEAST_SECRET} to {MAX_SECRET} bytes")
        if "-----BEGIN" in secret:
            raise wrong(field, f"{field} is a secret that both sides know; public keys belong behind jwks_url")
        return self._keyring.seal(secret.encode(), place=secret_place(app))
