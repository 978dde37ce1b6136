"""How a plugin is written: added, changed, given other code; whoever else writes it meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from services.api.core import plugin_values
from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.examining import POOL, Examining
from services.api.core.history import History
from services.api.core.plugin_fitting import Fitting
from services.api.core.plugin_values import Code, Draft
from services.api.core.removal import Removal
from services.api.core.sources import Sources
from services.api.core.writing import Writing
from shared.bus.notices import Examined
from shared.domain.caller import Caller
from shared.domain.function import ActiveVersion, Function, free_slug
from shared.domain.plugin import PLUGINS_APP, Plugin
from shared.domain.problem import Problem
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions

_TRIES = 60  # each is lost only to another change of the same plugin in the same moment

Change = Callable[[Function, Plugin], Awaitable[dict[str, Any]]]
"""What makes the values to write of a plugin as it is."""
Active = Callable[[Function], Awaitable[ActiveVersion]]
"""What says which version is to be the active one of a plugin as it is."""
Lost = Callable[[], None]


def _nothing() -> None:
    """Nobody has to be told that a race was lost."""


class Beside(NamedTuple):
    """The parts of the core that a change of a plugin goes through."""

    apps: Apps
    sources: Sources
    examining: Examining
    removal: Removal
    history: History


class Wanted(NamedTuple):
    """The code that a plugin is to have, stored and compiled as `digest`; of the rest, a None leaves what it has."""

    digest: str
    content: str
    name: str | None = None
    meta: dict[str, Any] | None = None


class PluginWriting:
    """What writes plugins, once a caller may. `most` of one tenant."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        keyring: Keyring,
        *,
        beside: Beside,
        most: int,
        registry: Registry = WITHOUT_PACKAGES,
    ) -> None:
        self._store = store
        self._directory = directory
        self._keyring = keyring
        self._apps, self._history = beside.apps, beside.history
        self._sources, self._examining, self.removal = beside.sources, beside.examining, beside.removal
        self.most = most
        self._registry = registry

    async def named(self, caller: Caller, key: str) -> Function:
        """The plugin as it is stored now. Raises Problem(not_found)."""
        found = await Functions(self._store, caller.tenant).by_key(key)
        if found is None:
            raise no_plugin()
        return found

    @asynccontextmanager
    async def compiled(self, caller: Caller, content: str) -> AsyncIterator[str]:
        """`Sources.compiled` of a plugin's content, with all that is refused said in the author's words."""
        try:
            async with self._sources.compiled(caller.tenant, POOL, content) as digest:
                yield digest
        except Problem as problem:
            raise plugin_values.as_told(problem) from problem

    async def check(self, caller: Caller, digest: str) -> None:
        """Have a stored source compiled. Raises Problem(invalid, unavailable)."""
        try:
            await self._sources.check(caller.tenant, POOL, digest)
        except Problem as problem:
            raise plugin_values.as_told(problem) from problem

    async def add(self, caller: Caller, draft: Draft, digest: str) -> Function:
        """A new plugin of a checked draft. Raises Problem(invalid, conflict, unavailable)."""
        examined = await self._examining.code(caller.tenant, digest)
        plugin = plugin_values.plugin_of(draft, examined, user_id=caller.user.id)
        writing = Writing(self._store, caller, digest)
        try:
            added = await self._inserted(writing, plugin, examined, name=draft.name)
        finally:
            await writing.tidy()
        await self._tell(caller, added, "Created")
        return added

    async def change(self, caller: Caller, key: str, change: Change, *, lost: Lost = _nothing) -> Function:
        """The plugin with the values set that `change` makes of it as it is: asked anew whenever the race is `lost`.

        Raises Problem(not_found, conflict), and what `change` does.
        """
        owned = Functions(self._store, caller.tenant)
        for _ in range(_TRIES):
            latest = await self.named(caller, key)
            if latest.plugin is not None:
                values = await change(latest, latest.plugin)
                changed = await owned.change_at(latest, {**values, "updated_at": datetime.now(UTC)})
                if changed is not None:
                    await self._tell(caller, changed, "Changed")
                    return changed
            lost()
        raise _crowded()

    async def recode(
        self, caller: Caller, key: str, wanted: Wanted, active: Active, *, lost: Lost = _nothing
    ) -> Function:
        """The plugin with other code, of the version that `active` says. Raises as `change` does, and (invalid)."""
        fitting = Fitting(self._examining, self._keyring, wanted.digest)

        async def change(latest: Function, plugin: Plugin) -> dict[str, Any]:
            examined, kept = await fitting.look(latest, plugin)
            draft = Draft(
                key=plugin.key,
                name=latest.name if wanted.name is None else wanted.name,
                content=wanted.content,
                meta=plugin.meta if wanted.meta is None else wanted.meta,
            )
            then = plugin_values.plugin_of(draft, examined, user_id=plugin.user_id, before=plugin)
            code = Code(await active(latest), examined)
            return plugin_values.change_of(msgspec.structs.replace(then, valves=kept), code, name=draft.name)

        return await self.change(caller, key, change, lost=lost)

    def too_many(self) -> Problem:
        """The tenant has as many as it may."""
        return Problem("invalid", f"There are {self.most} plugins already; delete one first")

    async def _inserted(self, writing: Writing, plugin: Plugin, examined: Examined, *, name: str) -> Function:
        """The plugin added. The unique indexes decide every race."""
        caller, now = writing.caller, datetime.now(UTC)
        owned = Functions(self._store, caller.tenant)
        app = await self._apps.kept(caller, PLUGINS_APP)
        slug = plugin_values.slug_of(plugin)
        for _ in range(_TRIES):
            await self.check_free(caller, plugin.key, app_id=app.id)
            await owned.yield_slug_retired(slug)
            function = plugin_values.function_of(
                app,
                plugin,
                Code(await writing.active(None), examined),
                id=writing.function_id,
                name=name,
                slug=free_slug(slug, {*self._registry.slugs, *await owned.slugs_like(slug)}),
                at=now,
            )
            try:
                await owned.insert(function)
            except Problem as problem:
                if problem.code != "conflict":
                    raise
                writing.lost()
                continue
            if await owned.count_plugins() > self.most:  # others came in the same moment
                await owned.delete(function)
                writing.lost()
                raise self.too_many()
            return function
        raise _crowded()

    async def check_free(self, caller: Caller, key: str, *, app_id: int = 0) -> None:
        """Raises Problem(invalid) where there are too many, and Problem(conflict) where somebody has the key.

        In the app of this id, also who was deployed under that name; one that is deleted since gives way.
        """
        owned = Functions(self._store, caller.tenant)
        if await owned.by_key(key) is not None:
            raise _taken(f"A plugin with id '{key}' exists already")
        if await owned.count_plugins() >= self.most:
            raise self.too_many()
        if app_id:
            await owned.yield_name(app_id, key)
            if await owned.deployed(app_id, key) is not None:
                raise _taken(f"A function deployed as '{key}' is in the app '{PLUGINS_APP}' already")

    async def _tell(self, caller: Caller, function: Function, kind: Literal["Created", "Changed"]) -> None:
        await self._directory.announce(function)
        await self._history.add(caller, function, kind)


def no_plugin() -> Problem:
    """There is no such plugin."""
    return Problem("not_found", "Function not found")


def _taken(message: str) -> Problem:
    return Problem("conflict", message, {"id": message})


def _crowded() -> Problem:
    return Problem("conflict", "The plugin is being changed by others; try again in a moment")
