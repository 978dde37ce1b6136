"""Environment variables of functions and apps: sealed as soon as they come, and only their names are told again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.history import History
from services.api.core.rights import must_develop, must_read
from shared.domain import app, environment
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.function import MAX_SLUG, Function
from shared.domain.problem import Problem, wrong
from shared.secrets import Keyring
from shared.store import apps, functions
from shared.store.client import Store

_TRIES = 60  # each is lost only to another change of the same function or app in the same moment
_MOST_NAMED = 1000  # functions that the answer to a change of an app's variables names

Changes = Mapping[str, str | None]
"""Values by name; a None deletes."""


class Renewed(NamedTuple):
    """An app whose variables have changed, how many functions have them, and the names of the first of those."""

    app: App
    functions: int
    names: list[str]


class Environments:
    """What can be done with variables. Every method raises Problem(unavailable) when the store is away."""

    def __init__(self, store: Store, directory: Directory, *, apps: Apps, history: History, keyring: Keyring) -> None:
        self._store = store
        self._directory = directory
        self._apps = apps
        self._history = history
        self._keyring = keyring

    def sealed(self, owner: app.Owner, tenant: str, id: int, values: Mapping[str, str]) -> dict[str, str]:
        """Values as they are stored. Raises Problem(unavailable) without a key."""
        return {
            key: self._keyring.seal(value.encode(), place=app.env_place(owner, tenant, id, key))
            for key, value in values.items()
        }

    async def change(self, caller: Caller, named: str, name: str, changes: Changes) -> Function:
        """Merge variables into those of a function. Raises Problem(not_found, invalid, conflict)."""
        must_develop(caller)
        check(changes)
        of_app = await self._apps.existing(caller, named)
        owned = functions.Functions(self._store, caller.tenant)
        for _ in range(_TRIES):
            latest = await owned.called(of_app.id, name)
            if latest is None:
                raise no_function(name)
            env = self._merged("function", caller.tenant, latest.id, changes, before=latest.env)
            values = {"env": env, "env_revision": latest.env_revision + 1, "updated_at": datetime.now(UTC)}
            changed = await owned.change_at(latest, values)
            if changed is not None:
                await self._directory.announce(changed)
                await self._history.add(caller, changed, "Changed")
                return changed
        raise Problem("conflict", "The function is being changed by others; try again in a moment")

    async def of_app(self, caller: Caller, named: str) -> App:
        """The app, whose variables are not for the telling. Raises Problem(not_found)."""
        must_read(caller)
        return await self._apps.existing(caller, named)

    async def change_app(self, caller: Caller, named: str, changes: Changes) -> Renewed:
        """Merge variables into those that all functions of an app have. Raises as `change` does."""
        must_develop(caller)
        check(changes)
        owned = apps.Apps(self._store, caller.tenant)
        for _ in range(_TRIES):
            latest = await self._apps.existing(caller, named)
            now = datetime.now(UTC)
            env = self._merged("app", caller.tenant, latest.id, changes, before=latest.env)
            changed = await owned.change_at(latest, {"env": env, "env_updated_at": now})
            if changed is not None:
                await self._apps.announce(changed)
                return await self._renew(changed, at=now)
        raise Problem("conflict", "The app is being changed by others; try again in a moment")

    async def _renew(self, of_app: App, *, at: datetime) -> Renewed:
        """Have all functions of the app begin anew with what it has now."""
        owned = functions.Functions(self._store, of_app.tenant)
        await owned.renew_env(of_app.id, updated_at=at)
        count = 0
        names: list[str] = []
        async for function in owned.all_in(of_app.id):
            await self._directory.announce_named(function.tenant, function.slug, revision=function.revision)
            count += 1
            if len(names) < _MOST_NAMED:
                names.append(function.deployed_as or function.name)
        return Renewed(of_app, count, names)

    def _merged(
        self, owner: app.Owner, tenant: str, id: int, changes: Changes, *, before: Mapping[str, str]
    ) -> dict[str, str]:
        """What was sealed before with the changes in it. Raises Problem(invalid, unavailable)."""
        kept = {key: value for key, value in before.items() if key not in changes}
        new = {key: value for key, value in changes.items() if value is not None}
        environment.check_whole([*map(Keyring.size, kept.values()), *(len(value.encode()) for value in new.values())])
        return {**kept, **self.sealed(owner, tenant, id, new)}


def check(changes: Changes) -> None:
    """Refuse names and values that cannot be. Raises Problem(invalid)."""
    if not changes:
        raise wrong("envVars", "envVars must be a non-empty object")
    for key, value in changes.items():
        environment.check_key(key)
        if value is not None:
            environment.check_value(key, value)


def no_function(name: str) -> Problem:
    """There is no such function; a name too long to be one is not repeated whole."""
    shown = name if len(name) <= MAX_SLUG else f"{name[:MAX_SLUG]}…"
    return Problem("not_found", f"Function '{shown}' not found")
