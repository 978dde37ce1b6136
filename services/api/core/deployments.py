"""Functions as they are deployed by name: code and settings together, in one write of the function."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from services.api.core import environments
from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.environments import Environments, no_function
from services.api.core.history import History
from services.api.core.plugin_values import check_no_plugin
from services.api.core.removal import Removal
from services.api.core.rights import may_see_code, must_develop, must_read
from services.api.core.sources import Sources
from services.api.core.triggers import Triggers
from services.api.core.writing import Writing
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.environment import check_whole
from shared.domain.function import (
    DEPLOYED_FOR,
    ActiveVersion,
    AgentToolAudience,
    AgentToolMode,
    Environment,
    Function,
    check_config,
    check_name,
    free_slug,
    is_slug,
    slugify,
)
from shared.domain.limits import Bounds, Limits, limits_of
from shared.domain.problem import Problem
from shared.domain.trigger import HTTP_BY_DEFAULT, Trigger
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.store import functions as stored
from shared.store import tenants, versions
from shared.store.client import Store

_TRIES = 60  # each is lost only to another change of the same function in the same moment
# What a deployment says of `config`; what else is there is not this way's to set, and stays.
_CONFIG = ("timeout", "memory_mb", "egress", "egress_hosts")


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed. A None leaves what the function has; all else is set, by default to what is here.

    `config` has the limits and the egress; what it does not mention is the platform's default.
    """

    name: str
    code: str
    environment: Environment = DEPLOYED_FOR
    description: str | None = None
    env: dict[str, str] | None = None
    triggers: tuple[Trigger, ...] = (HTTP_BY_DEFAULT,)
    config: dict[str, Any] = {}
    agent_tool: bool = False
    agent_tool_description: str | None = None
    agent_tool_mode: AgentToolMode = "read_only"
    agent_tool_exposed_to: AgentToolAudience = "developer_only"


class Deployed(NamedTuple):
    """A function in its app, and the secret that was made for its webhook; empty where none was."""

    app: App
    function: Function
    generated: str = ""


class Shown(NamedTuple):
    """A function with its source and the limits that its calls have."""

    app: App
    function: Function
    source: str
    limits: Limits


class Beside(NamedTuple):
    """The parts of the core that a deployment goes through."""

    apps: Apps
    sources: Sources
    environments: Environments
    triggers: Triggers
    history: History
    removal: Removal


class Deployments:
    """What can be done by name within an app. Every method raises Problem(unavailable) when the store is away."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        beside: Beside,
        bounds: Bounds,
        registry: Registry = WITHOUT_PACKAGES,
    ) -> None:
        self._store = store
        self._directory = directory
        self._apps, self._history, self._removal = beside.apps, beside.history, beside.removal
        self._sources, self._triggers, self._environments = beside.sources, beside.triggers, beside.environments
        self._bounds = bounds
        self._registry = registry

    async def deploy(self, caller: Caller, named: str, wanted: Deployment) -> Deployed:
        """Make the function of this name, or set it anew; an app that is not there is made, too.

        One that was deleted comes back as who it was. Raises Problem(not_found, invalid, too_large, conflict).
        """
        must_develop(caller)
        wanted = await self._checked(caller, wanted)
        app = await self._apps.meant(caller, named)
        if app is not None and (there := await self._of(caller).deployed(app.id, wanted.name)) is not None:
            check_no_plugin(there)  # rather than what is wrong with the code
        async with self._sources.compiled(caller.tenant, wanted.environment, wanted.code) as digest:
            app = app or await self._apps.kept(caller, named)
            writing = Writing(self._store, caller, digest)
            try:
                deployed = await self._kept(writing, app, wanted)
            finally:
                await writing.tidy()
        function = deployed.function
        await self._directory.announce(function)
        await self._history.add(caller, function, "Created" if function.revision == 1 else "Changed")
        return deployed

    async def listed(self, caller: Caller, named: str, *, limit: int, skip: int) -> tuple[App, list[Function]]:
        """The app and a part of its functions, by name. Raises Problem(not_found)."""
        must_read(caller)
        app = await self._apps.existing(caller, named)
        order = [("name", 1), ("id", 1)]
        return app, await self._of(caller).listed({"app": app.id}, order=order, limit=limit, skip=skip)

    async def shown(self, caller: Caller, named: str, name: str) -> Shown:
        """One function. Raises Problem(not_found)."""
        must_read(caller)
        app = await self._apps.existing(caller, named)
        function = await self._of(caller).called(app.id, name)
        if function is None:
            raise no_function(name)
        source = None
        if function.active is not None and may_see_code(caller, function):
            source = await versions.Versions(self._store, caller.tenant).source(function.active.code_hash)
        tenant = await tenants.find(self._store, caller.tenant)
        limits = limits_of(function.config, self._bounds, tenant=tenant.limits if tenant else {})
        return Shown(app, function, source.source if source else "", limits)

    async def delete(self, caller: Caller, named: str, name: str) -> None:
        """Take a function away, so that it may come back, or a plugin for good; nothing happens where there is none.

        Raises Problem(not_found, conflict).
        """
        must_develop(caller)
        app = await self._apps.existing(caller, named)
        owned = self._of(caller)
        for _ in range(_TRIES):
            latest = await owned.called(app.id, name)
            if latest is None:
                return
            if latest.plugin is not None:  # deployed by nobody, it could not come back
                await self._removal.remove(caller, latest)
                return
            now = datetime.now(UTC)
            values: dict[str, Any] = {"is_active": False, "deleted_at": now, "updated_at": now}
            if not latest.deployed_as and await owned.deployed(app.id, latest.name) is None:
                values["deployed_as"] = latest.name  # so that a deployment of this name finds it
            deleted = await _written(owned, latest, values)
            if deleted is not None:
                await self._directory.announce(deleted, deleted=True)
                await self._history.add(caller, latest, "Deleted")
                return
        raise _crowded()

    async def _checked(self, caller: Caller, wanted: Deployment) -> Deployment:
        check_name(wanted.name)
        if wanted.env:
            environments.check(wanted.env)
            check_whole(len(value.encode()) for value in wanted.env.values())
        tenant = await tenants.find(self._store, caller.tenant)
        check_config(wanted.config, self._bounds.most, tenant=tenant.limits if tenant else {})
        return msgspec.structs.replace(wanted, triggers=self._triggers.checked(wanted.triggers))

    async def _kept(self, writing: Writing, app: App, wanted: Deployment) -> Deployed:
        """The function written, whoever else writes it meanwhile. The unique indexes decide every race.

        A secret that was made for a try that was lost is told to nobody: the next one finds what the winner has stored.
        """
        owned = self._of(writing.caller)
        for _ in range(_TRIES):
            latest = await owned.deployed(app.id, wanted.name) or await owned.oldest(app.id, wanted.name)
            if latest is not None:
                check_no_plugin(latest)
            active = await writing.active(latest)
            triggers = self._triggers.kept(
                wanted.triggers, tenant=app.tenant, function_id=writing.function_id, before=latest
            )
            values = {**self._values(writing, wanted, latest, active), **triggers.values}
            if latest is None or not is_slug(latest.slug):
                values["slug"] = await self._free_slug(owned, wanted.name)
            if latest is None:
                written = await _inserted(owned, _new(app, writing.function_id, values))
            else:
                written = await _written(owned, latest, _different(latest, values))
            if written is not None:
                return Deployed(app, written, triggers.generated)
            writing.lost()
        raise _crowded()

    def _values(
        self, writing: Writing, wanted: Deployment, latest: Function | None, active: ActiveVersion
    ) -> dict[str, Any]:
        """All that the deployment sets beside the triggers, as it is written."""
        tenant, id, now = writing.caller.tenant, writing.function_id, datetime.now(UTC)
        others = {key: value for key, value in latest.config.items() if key not in _CONFIG} if latest else {}
        values = {
            "name": wanted.name,
            "deployed_as": wanted.name,
            "execution_mode": "app",
            "environment": wanted.environment,
            "config": {**others, **wanted.config},
            "is_active": True,
            "deleted_at": None,
            "deployed_at": now,
            "updated_at": now,
            "active": msgspec.to_builtins(active),
            "agent_tool": wanted.agent_tool,
            "agent_tool_mode": wanted.agent_tool_mode,
            "agent_tool_exposed_to": wanted.agent_tool_exposed_to,
        }
        kept = {"description": wanted.description, "agent_tool_description": wanted.agent_tool_description}
        values |= {field: value for field, value in kept.items() if value is not None}
        if wanted.env is not None:
            values["env"] = self._environments.sealed("function", tenant, id, wanted.env)
            values["env_revision"] = latest.env_revision + 1 if latest else 1
        return values

    async def _free_slug(self, owned: stored.Functions, name: str) -> str:
        slug = slugify(name) or "function"
        return free_slug(slug, {*self._registry.slugs, *await owned.slugs_like(slug)})

    def _of(self, caller: Caller) -> stored.Functions:
        return stored.Functions(self._store, caller.tenant)


def _new(app: App, id: int, values: dict[str, Any]) -> Function:
    who = {"id": id, "tenant": app.tenant, "app": app.id, "app_slug": app.slug, "app_name": app.name}
    return msgspec.convert({**who, "created_at": values["updated_at"], **values}, Function)


def _different(latest: Function, values: dict[str, Any]) -> dict[str, Any]:
    """The values that are other ones: what schedules a function is planned anew whenever it is written."""
    before = msgspec.to_builtins(latest, builtin_types=(datetime,))
    return {field: value for field, value in values.items() if before[field] != value}


async def _inserted(owned: stored.Functions, function: Function) -> Function | None:
    """The new function; None where its name or its slug was taken meanwhile."""
    try:
        await owned.insert(function)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        return None
    return function


async def _written(owned: stored.Functions, latest: Function, values: dict[str, Any]) -> Function | None:
    """The function changed; None where somebody else has changed it, or has taken its name or slug, meanwhile."""
    try:
        return await owned.change_at(latest, values)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        return None


def _crowded() -> Problem:
    return Problem("conflict", "The function is being changed by others; try again in a moment")
