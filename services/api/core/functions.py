"""Functions as their owners see them: made, listed, shown, changed, deleted."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.api.core.credentials import Credentials
from services.api.core.directory import Directory
from services.api.core.history import History
from services.api.core.plugin_values import check_no_plugin
from services.api.core.removal import Removal
from services.api.core.rights import may_see_code, must_develop, must_read
from services.api.core.schedules import check_settings as check_schedule
from services.api.core.schedules import touches_schedule
from services.api.core.settings import check_settings
from shared.domain.caller import Caller
from shared.domain.credentials import masked, secrets_of
from shared.domain.function import (
    MAX_SLUG,
    RESERVED_SLUGS,
    Function,
    check_config,
    free_slug,
    is_slug,
    slugify,
)
from shared.domain.limits import Limits
from shared.domain.problem import Problem, wrong
from shared.domain.version import CodeVersion
from shared.domain.webhook import origin_of
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.store import functions as stored
from shared.store import tenants
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.versions import Versions

Wanted = stored.Filter
"""Which functions a list is to show; named here for the dialects, which may not speak to the store."""

MAX_VERSIONS_SHOWN = 100
_CHANGE_TRIES = 20  # each is lost only to another change of the same function in the same moment
_SLUG_TRIES = 20  # each is lost only to another caller who took the same slug in the same moment
_OF_PLUGINS = ("name", "execution_mode", "environment", "triggers")  # what is not changed here of one that is a plugin
_ORDERABLE = frozenset(("id", "name", "slug", "category", "execution_mode", "is_active", "created_at", "updated_at"))


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A function to be. Without a `slug` of its own it gets one from its name."""

    app: str
    name: str
    slug: str = ""
    settings: dict[str, Any] = {}


class Detail(msgspec.Struct, frozen=True):
    """A function with its newest versions, and its active one with its source."""

    function: Function
    versions: list[CodeVersion]
    active: CodeVersion | None
    source: str


class Functions:
    """What can be done with functions. Every method raises Problem(unavailable) when the store is away."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        history: History,
        credentials: Credentials,
        most: Limits,
        removal: Removal,
        registry: Registry = WITHOUT_PACKAGES,
    ) -> None:
        self._store = store
        self._directory = directory
        self._history = history
        self._credentials = credentials
        self._most = most
        self._removal = removal
        self._registry = registry

    async def create(self, caller: Caller, draft: Draft) -> Function:
        """Add a function; its app is made with it where there is none. Raises Problem(invalid)."""
        must_develop(caller)
        if not is_slug(draft.app):
            raise wrong("app", "app must be 1 to 100 characters: words of a-z and 0-9, joined by -")
        check_settings(draft.settings)
        check_schedule(draft.settings)
        await self._check_limits(caller, draft.settings)
        slug = _wanted_slug(draft, self._registry)
        functions = self._of(caller)
        app = await Apps(self._store, caller.tenant).keep(draft.app, name=draft.app.replace("-", " ").title())
        now = datetime.now(UTC)
        id = await functions.next_id()
        values: dict[str, Any] = {"execution_mode": "app", **draft.settings}
        if auth_config := draft.settings.get("auth_config"):
            values["auth_config"] = self._credentials.sealed(auth_config, tenant=caller.tenant, function_id=id)
        function = Function(
            id=id,
            tenant=caller.tenant,
            app=app.id,
            app_slug=app.slug,
            app_name=app.name,
            name=draft.name,
            slug=slug,
            created_at=now,
            updated_at=now,
            **values,
        )
        created = await self._insert(functions, function, fixed=bool(draft.slug))
        await self._directory.announce(created)
        await self._history.add(caller, created, "Created")
        return created

    async def listed(
        self, caller: Caller, wanted: Wanted, *, ordering: str, limit: int, skip: int
    ) -> tuple[int, list[Function]]:
        """How many match, and a part of them. `ordering` is field names by commas, `-` before one for descending."""
        must_read(caller)
        functions, query, order = self._of(caller), wanted.query(), _order(ordering)
        return await functions.count(query), await functions.listed(query, order=order, limit=limit, skip=skip)

    async def named(self, caller: Caller, slug: str, *, app: str | None = None) -> Function:
        """The function as it is stored now, active or not. Raises Problem(not_found)."""
        function = await self._of(caller).by_slug(slug) if is_slug(slug) else None
        if function is None or app not in (None, function.app_slug):
            raise no_function(slug)
        return function

    async def seen(self, caller: Caller, slug: str, *, app: str | None = None) -> Function:
        """`named`, for who may read. Raises Problem(not_found)."""
        must_read(caller)
        return await self.named(caller, slug, app=app)

    async def shown(self, caller: Caller, slug: str, *, app: str | None = None) -> Detail:
        """A function with its versions. Raises Problem(not_found)."""
        return await self._detail(caller, await self.seen(caller, slug, app=app))

    async def change(self, caller: Caller, slug: str, settings: dict[str, Any], *, app: str | None = None) -> Detail:
        """Set these settings and leave the others. Raises Problem(not_found, invalid, conflict)."""
        must_develop(caller)
        function = await self.named(caller, slug, app=app)
        if settings.get("slug", slug) != slug:
            raise wrong("slug", "slug cannot be changed")
        values = {field: value for field, value in settings.items() if field != "slug"}
        if any(field in values and values[field] != getattr(function, field) for field in _OF_PLUGINS):
            check_no_plugin(function)
        await self._check_limits(caller, values)
        if values:
            function = await self._changed(function, values)
            await self._directory.announce(function)
            await self._history.add(caller, function, "Changed")
        return await self._detail(caller, function)

    async def delete(self, caller: Caller, slug: str, *, app: str | None = None) -> None:
        """Remove a function and all that belongs to it. Raises Problem(not_found)."""
        must_develop(caller)
        function = await self.named(caller, slug, app=app)
        if not await self._removal.remove(caller, function):
            raise no_function(slug)

    async def _changed(self, function: Function, values: dict[str, Any]) -> Function:
        """The change made. It is checked with what it leaves as it was, so that must be what was read."""
        owned = self._of_tenant(function.tenant)
        latest: Function | None = function
        for _ in range(_CHANGE_TRIES):
            if latest is None:
                raise no_function(function.slug)
            changed = await owned.change_at(latest, self._to_store(latest, values))
            if changed is not None:
                return changed
            latest = await owned.by_id(function.id)
        raise Problem("conflict", "The function is being changed by others; try again in a moment")

    def _to_store(self, function: Function, values: dict[str, Any]) -> dict[str, Any]:
        """A change of this very function, as it is written. Raises Problem(invalid) where the two do not fit."""
        mode = {} if function.execution_mode == "system" else {"execution_mode": function.execution_mode}
        check_settings({**mode, "webhook_url": function.webhook_url, **values})
        if touches_schedule(values):
            check_schedule({**msgspec.structs.asdict(function), **values})
        before = function.auth_config
        if origin_of(values.get("webhook_url", function.webhook_url)) != origin_of(function.webhook_url):
            # Who may change a function may not learn its secrets by having them sent to himself.
            if "auth_config" not in values and secrets_of(before):
                message = "webhook_url is of another origin: send auth_config again with its secrets, or empty"
                raise wrong("auth_config", message)
            before = {}
        if auth_config := values.get("auth_config"):
            sealed = self._credentials.sealed(
                auth_config, tenant=function.tenant, function_id=function.id, before=before
            )
            values = {**values, "auth_config": sealed}
        return {**values, "updated_at": datetime.now(UTC)}

    async def _check_limits(self, caller: Caller, settings: dict[str, Any]) -> None:
        if config := settings.get("config"):
            tenant = await tenants.find(self._store, caller.tenant)
            check_config(config, self._most, tenant=tenant.limits if tenant else {})

    def _of(self, caller: Caller) -> stored.Functions:
        return self._of_tenant(caller.tenant)

    def _of_tenant(self, tenant: str) -> stored.Functions:
        return stored.Functions(self._store, tenant)

    async def _insert(self, functions: stored.Functions, function: Function, *, fixed: bool) -> Function:
        """Store it; a slug that is taken is suffixed, or with `fixed` refused. The unique index decides every race."""
        wanted = function.slug
        for _ in range(_SLUG_TRIES):
            slug = wanted if fixed else free_slug(wanted, {*self._registry.slugs, *await functions.slugs_like(wanted)})
            function = msgspec.structs.replace(function, slug=slug)
            try:
                await functions.insert(function)
            except Problem as problem:
                if problem.code != "conflict":
                    raise
                if fixed and await functions.by_slug(slug) is not None:
                    raise wrong("slug", f"A function with slug '{slug}' exists already") from None
                await functions.yield_slug(slug)
            else:
                return function
        raise Problem("conflict", f"Many functions named '{function.name}' are being created; try again in a moment")

    async def _detail(self, caller: Caller, function: Function) -> Detail:
        function = msgspec.structs.replace(function, auth_config=masked(function.auth_config))
        versions = Versions(self._store, function.tenant)
        newest = await versions.of(function.id, limit=MAX_VERSIONS_SHOWN)
        if function.active is None:
            return Detail(function, newest, None, "")
        source = await versions.source(function.active.code_hash) if may_see_code(caller, function) else None
        return Detail(function, newest, await versions.by_id(function.active.id), source.source if source else "")


def no_function(slug: str) -> Problem:
    """There is no such function; a slug too long to be one is not repeated whole."""
    shown = slug if len(slug) <= MAX_SLUG else f"{slug[:MAX_SLUG]}…"
    return Problem("not_found", f"Function with slug '{shown}' not found or not active")


def _wanted_slug(draft: Draft, registry: Registry) -> str:
    if draft.slug:
        if not is_slug(draft.slug):
            raise wrong("slug", "slug must be 1 to 100 characters: words of a-z and 0-9, joined by -")
        if draft.slug in RESERVED_SLUGS or draft.slug in registry:
            raise wrong("slug", f"slug '{draft.slug}' is reserved; choose another one")
        return draft.slug
    slug = slugify(draft.name)
    if not slug:
        message = "name has no letter a-z and no digit to make a slug of; add one, or send a slug of your own"
        raise wrong("name", message)
    return slug


def _order(ordering: str) -> list[tuple[str, int]]:
    order = []
    for term in filter(None, ordering.split(",")):
        field = term.removeprefix("-")
        if field not in _ORDERABLE:
            raise wrong("ordering", f"ordering knows: {', '.join(sorted(_ORDERABLE))}; '-' before one for descending")
        order.append((field, -1 if term.startswith("-") else 1))
    # The id last, so that equal values stand in one order and pages do not overlap.
    return [*order, ("id", -1)] if "id" not in dict(order) else order
