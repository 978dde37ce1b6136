"""The versions of a plugin's code: listed, compared, and one of them taken up again."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from services.api.core import differences
from services.api.core.plugin_contents import Contents
from services.api.core.plugin_writing import PluginWriting, Wanted
from services.api.core.plugins import Shown
from services.api.core.rights import must_keep_plugins, must_read_plugins
from shared.domain.caller import Caller
from shared.domain.function import ActiveVersion, Function
from shared.domain.problem import Problem
from shared.domain.user import Account
from shared.domain.version import CodeVersion
from shared.store.client import MAX_ID, Store
from shared.store.users import Users
from shared.store.versions import Versions


class VersionShown(NamedTuple):
    """A version with its source, whether it is the active one, and who made it; None where that user is gone."""

    version: CodeVersion
    is_active: bool
    content: str
    author: Account | None


class Diff(NamedTuple):
    """Two versions, and the lines of a unified diff from one to the other."""

    before: VersionShown
    after: VersionShown
    lines: list[str]


class PluginVersions:
    """What can be done with versions. Every method raises Problem(forbidden, not_found, unavailable)."""

    def __init__(self, store: Store, writing: PluginWriting) -> None:
        self._store = store
        self._writing = writing
        self._contents = Contents(store)

    async def listed(self, caller: Caller, key: str, *, limit: int, skip: int) -> list[VersionShown]:
        """A part of them, the newest first. Raises Problem(too_large) where their sources are too much together."""
        must_read_plugins(caller)
        function = await self._writing.named(caller, key)
        found = await self._of(caller).of(function.id, limit=limit, skip=skip)
        return await self._shown(caller, function, found)

    async def diff(self, caller: Caller, key: str, *, before: int, after: int) -> Diff:
        """What changed from one version to another."""
        must_read_plugins(caller)
        function = await self._writing.named(caller, key)
        found = [await self._version(caller, function, id) for id in (before, after)]
        old, new = await self._shown(caller, function, found)
        names = (old.version.version, new.version.version)
        # Long texts take their time, which the others' requests are not to wait for.
        lines = await asyncio.to_thread(differences.unified, old.content, new.content, names=names)
        return Diff(old, new, lines)

    async def use(self, caller: Caller, key: str, version_id: int, *, message: str = "") -> Shown:
        """Let this version be the active one; a `message` is then what is said of it.

        Raises Problem(invalid, conflict) as an update does: then nothing has changed.
        """
        must_keep_plugins(caller)
        function = await self._writing.named(caller, key)
        version = await self._version(caller, function, version_id)
        content = await self._contents.one(caller, version.code_hash)
        await self._writing.check(caller, version.code_hash)
        chosen = ActiveVersion(id=version.id, version=version.version, code_hash=version.code_hash)

        async def active(latest: Function) -> ActiveVersion:
            if latest.id != version.function_id:  # another plugin has the key by now
                raise _no_version()
            return chosen

        changed = await self._writing.recode(caller, key, Wanted(version.code_hash, content), active)
        if message:
            await self._of(caller).say(version.id, message)
        return Shown(changed, content)

    async def _version(self, caller: Caller, function: Function, id: int) -> CodeVersion:
        found = await self._of(caller).by_id(id) if 0 < id <= MAX_ID else None
        if found is None or found.function_id != function.id:
            raise _no_version()
        return found

    async def _shown(self, caller: Caller, function: Function, versions: Sequence[CodeVersion]) -> list[VersionShown]:
        texts = await self._contents.many(caller, [version.code_hash for version in versions])
        authors = await Users(self._store, caller.tenant).by_ids([version.created_by for version in versions])
        active = function.active.id if function.active is not None else 0
        return [
            VersionShown(
                version, version.id == active, texts.get(version.code_hash, ""), authors.get(version.created_by)
            )
            for version in versions
        ]

    def _of(self, caller: Caller) -> Versions:
        return Versions(self._store, caller.tenant)


def _no_version() -> Problem:
    message = "Version not found"
    return Problem("not_found", message, {"version_id": message})
