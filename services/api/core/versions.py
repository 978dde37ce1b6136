"""Code versions: uploaded, edited, listed, activated. Which one is active is said by the function alone."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.api.core.directory import Directory
from services.api.core.functions import Functions, no_function
from services.api.core.history import History
from services.api.core.plugin_values import check_no_plugin
from services.api.core.rights import must_develop, must_read
from services.api.core.sources import Sources
from shared.domain.caller import Caller
from shared.domain.function import ActiveVersion, Function
from shared.domain.problem import Problem, wrong
from shared.domain.version import CodeVersion
from shared.store import functions, versions
from shared.store.client import MAX_ID, Store

_TRIES = 20  # each is lost only to another change of the same function in the same moment
_MOST_IN_APP = 100_000  # functions whose versions are listed together: their ids go into the question to the store


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A version to be. `is_active` None: it becomes active if no other one is."""

    version: str
    code: str
    is_active: bool | None = None


class Shown(NamedTuple):
    """A version, whether it is the active one, and its source where it was asked for."""

    version: CodeVersion
    is_active: bool
    source: str = ""


class Versions:
    """What can be done with code. Every method raises Problem(unavailable) when the store is away."""

    def __init__(
        self,
        store: Store,
        *,
        directory: Directory,
        functions: Functions,
        history: History,
        sources: Sources,
    ) -> None:
        self._store = store
        self._directory = directory
        self._functions = functions
        self._history = history
        self._sources = sources

    async def upload(self, caller: Caller, slug: str, upload: Upload, *, app: str | None = None) -> Shown:
        """Check, compile and add a version. Raises Problem(not_found, invalid, too_large, conflict)."""
        must_develop(caller)
        function = await self._functions.named(caller, slug, app=app)
        _must_run_code(function)
        stored = self._of(caller)
        async with self._sources.compiled(function.tenant, function.pool, upload.code) as digest:
            version = CodeVersion(
                id=await stored.next_id(),
                tenant=caller.tenant,
                function_id=function.id,
                version=upload.version,
                code_hash=digest,
                created_at=datetime.now(UTC),
                created_by=caller.user.id,
                created_by_username=caller.user.username,
            )
            await _insert(stored, version)
        is_active = function.active is None if upload.is_active is None else upload.is_active
        if is_active:
            await self._activate(caller, function, version)
        return Shown(version, is_active, upload.code)

    async def edit(self, caller: Caller, slug: str, code: str, *, app: str | None = None) -> Shown:
        """Let the active version have other code. Raises Problem(not_found, invalid, too_large, conflict)."""
        must_develop(caller)
        function = await self._functions.named(caller, slug, app=app)
        _must_run_code(function)
        if function.active is None:
            message = f"Function '{slug}' has no active code version to update; upload one with POST"
            raise Problem("invalid", message, {"code": message})
        stored = self._of(caller)
        async with self._sources.compiled(function.tenant, function.pool, code) as digest:
            await stored.replace_code(function.active.id, digest)
        version = await stored.by_id(function.active.id)
        if version is None:
            raise no_function(slug)
        await self._activate(caller, function, version, only_if_active=True)
        return Shown(version, True, code)

    async def listed(
        self, caller: Caller, slug: str | None, *, app: str | None, limit: int, skip: int
    ) -> tuple[int, list[Shown]]:
        """How many versions the function has, or all of the app, or with two None all together; and a part of them.

        The newest come first.
        """
        must_read(caller)
        owned = functions.Functions(self._store, caller.tenant)
        if slug is not None:
            function = await owned.by_slug(slug)
            if function is None or app not in (None, function.app_slug):
                return 0, []
            return await self._part(caller, function.id, limit=limit, skip=skip)
        if app is None:
            deleted = await owned.deleted_ids(limit=_MOST_IN_APP)
            return await self._part(caller, versions.AllBut(deleted), limit=limit, skip=skip)
        ids = await owned.ids_in(app, limit=_MOST_IN_APP + 1)
        if len(ids) > _MOST_IN_APP:
            message = f"The app has more than {_MOST_IN_APP} functions: ask for one of them"
            raise wrong("function__slug", message)
        return await self._part(caller, ids, limit=limit, skip=skip)

    async def of(self, caller: Caller, slug: str, *, app: str | None, limit: int, skip: int) -> tuple[int, list[Shown]]:
        """How many versions a function has, and a part of them, the newest first. Raises Problem(not_found)."""
        function = await self._functions.seen(caller, slug, app=app)
        return await self._part(caller, function.id, limit=limit, skip=skip)

    async def activate(self, caller: Caller, id: int, *, app: str | None = None) -> Shown:
        """Let this version be the one that runs. Raises Problem(not_found), and (invalid) where it is no code for it.

        That is one of a time when the function's environment was another one. Of a plugin, Problem(conflict).
        """
        must_develop(caller)
        stored = self._of(caller)
        version = await stored.by_id(id) if 0 < id <= MAX_ID else None
        owned = functions.Functions(self._store, caller.tenant)
        owner = await owned.by_id(version.function_id) if version is not None else None
        if version is None or owner is None or app not in (None, owner.app_slug):
            raise Problem("not_found", f"Code version with id {id} not found")
        check_no_plugin(owner)
        if owner.execution_mode == "app":
            await self._sources.check(owner.tenant, owner.pool, version.code_hash)
        await self._activate(caller, owner, version)
        source = await stored.source(version.code_hash)
        return Shown(version, True, source.source if source else "")

    async def _part(self, caller: Caller, of: versions.Functions, *, limit: int, skip: int) -> tuple[int, list[Shown]]:
        stored = self._of(caller)
        found = await stored.of(of, limit=limit, skip=skip)
        owned = functions.Functions(self._store, caller.tenant)
        owners = await owned.by_ids(version.function_id for version in found)
        active = {owner.active.id for owner in owners if owner.active is not None}
        return await stored.count(of), [Shown(version, version.id in active) for version in found]

    def _of(self, caller: Caller) -> versions.Versions:
        return versions.Versions(self._store, caller.tenant)

    async def _activate(
        self, caller: Caller, function: Function, version: CodeVersion, *, only_if_active: bool = False
    ) -> None:
        """One write to the function. Lost to another change, it begins anew from what that change has left."""
        owned = functions.Functions(self._store, function.tenant)
        stored = versions.Versions(self._store, function.tenant)
        latest: Function | None = function
        for _ in range(_TRIES):
            now = await stored.by_id(version.id)
            if latest is None or now is None:
                raise Problem("not_found", "The function was deleted in the meantime")
            if only_if_active and (latest.active is None or latest.active.id != version.id):
                return  # another version was activated meanwhile: it stays
            active = ActiveVersion(id=now.id, version=now.version, code_hash=now.code_hash)
            values = {"active": msgspec.to_builtins(active), "updated_at": datetime.now(UTC)}
            changed = await owned.change_at(latest, values)
            if changed is not None:
                await self._directory.announce(changed)
                await self._history.add(caller, changed, "Changed")
                return
            latest = await owned.by_id(function.id)
        raise Problem("conflict", "The function is being changed by others; try again in a moment")


def _must_run_code(function: Function) -> None:
    check_no_plugin(function)
    if function.execution_mode != "app":
        message = f"Function '{function.slug}' runs no code: its execution_mode is '{function.execution_mode}'"
        raise Problem("invalid", message, {"code": message})


async def _insert(stored: versions.Versions, version: CodeVersion) -> None:
    try:
        await stored.insert(version)
    except Problem as problem:
        if problem.code != "conflict":
            raise
        message = f"Version '{version.version}' exists already"
        raise Problem("invalid", message, {"version": message}) from None
