"""Plugins as their owners see them: made, listed, shown, exported, changed, switched, deleted."""

from typing import Any, NamedTuple

import msgspec

from services.api.core import plugin_values
from services.api.core.plugin_contents import Contents
from services.api.core.plugin_writing import PluginWriting, Wanted
from services.api.core.rights import must_keep_plugins, must_read, must_read_plugins
from services.api.core.writing import Writing
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.plugin import Plugin
from shared.domain.user import Account
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.users import Users

Draft = plugin_values.Draft
"""What its author says of a plugin."""

MAX_PLUGINS = 10_000
"""The most that a tenant may be allowed to have: their lists are not paged."""


class Shown(NamedTuple):
    """A plugin with its source."""

    function: Function
    content: str


class Owned(NamedTuple):
    """A plugin, and who made it; None where that user is gone."""

    function: Function
    owner: Account | None


class Plugins:
    """What can be done with plugins. Every method raises Problem(forbidden), and (unavailable) with the store away."""

    def __init__(self, store: Store, writing: PluginWriting) -> None:
        self._store = store
        self._writing = writing
        self._contents = Contents(store)

    async def listed(self, caller: Caller) -> list[Function]:
        """All of them, by id."""
        must_read(caller)
        return await self._of(caller).plugins(limit=MAX_PLUGINS)

    async def with_owners(self, caller: Caller) -> list[Owned]:
        """All of them, what was changed last before the others."""
        must_read_plugins(caller)
        found = await self._of(caller).plugins(limit=MAX_PLUGINS)
        found.sort(key=lambda function: (function.updated_at, function.id), reverse=True)
        owners = await Users(self._store, caller.tenant).by_ids([_owner_id(function) for function in found])
        return [Owned(function, owners.get(_owner_id(function))) for function in found]

    async def exported(self, caller: Caller) -> list[Shown]:
        """All of them with their sources, by id.

        Raises Problem(too_large) where these are too much together, and Problem(rate_limited, unavailable) where too
        much is shown already.
        """
        must_read_plugins(caller)
        found = await self._of(caller).plugins(limit=MAX_PLUGINS)
        texts = await self._contents.many(caller, [_hash(function) for function in found])
        return [Shown(function, texts.get(_hash(function), "")) for function in found]

    async def create(self, caller: Caller, draft: Draft) -> Function:
        """Add a plugin, not active and not global. Raises Problem(invalid, too_large, conflict)."""
        must_keep_plugins(caller)
        draft = plugin_values.checked(msgspec.structs.replace(draft, key=plugin_values.key_of(draft.key)))
        await self._writing.check_free(caller, draft.key)
        async with self._writing.compiled(caller, draft.content) as digest:
            return await self._writing.add(caller, draft, digest)

    async def shown(self, caller: Caller, key: str) -> Shown:
        """One of them. Raises Problem(not_found)."""
        must_read_plugins(caller)
        return await self._shown(caller, await self.named(caller, key))

    async def update(self, caller: Caller, key: str, draft: Draft, *, message: str = "") -> Shown:
        """Another name, meta and content, whatever the draft's key; a new version where the content is another one.

        `message` is what is said of that version. Raises Problem(not_found, invalid, too_large, conflict), also where
        the valves that are set do not fit the code: then nothing has changed.
        """
        must_keep_plugins(caller)
        await self.named(caller, key)
        draft = plugin_values.checked(draft)
        async with self._writing.compiled(caller, draft.content) as digest:
            version = Writing(self._store, caller, digest, message=message)
            wanted = Wanted(digest, draft.content, draft.name, draft.meta)
            try:
                changed = await self._writing.recode(caller, key, wanted, version.active, lost=version.lost)
            finally:
                await version.tidy()
        return Shown(changed, draft.content)

    async def toggle(self, caller: Caller, key: str) -> Shown:
        """Active, or not any more. Raises Problem(not_found, conflict)."""
        must_keep_plugins(caller)

        async def other(function: Function, _plugin: Plugin) -> dict[str, Any]:
            return {"is_active": not function.is_active}

        return await self._shown(caller, await self._writing.change(caller, key, other))

    async def toggle_global(self, caller: Caller, key: str) -> Shown:
        """For everybody, or not any more. Raises Problem(not_found, conflict)."""
        must_keep_plugins(caller)

        async def other(_function: Function, plugin: Plugin) -> dict[str, Any]:
            return {"plugin": msgspec.to_builtins(msgspec.structs.replace(plugin, is_global=not plugin.is_global))}

        return await self._shown(caller, await self._writing.change(caller, key, other))

    async def delete(self, caller: Caller, key: str) -> None:
        """Remove a plugin and all that belongs to it; where there is none, what a deletion before may have left."""
        must_keep_plugins(caller)
        found = await self._of(caller).by_key(key)
        if found is not None:
            await self._writing.removal.remove(caller, found)
        else:
            await self._writing.removal.remove_retired(caller)

    async def named(self, caller: Caller, key: str) -> Function:
        """The plugin as it is stored now, for whoever of its tenant. Raises Problem(not_found)."""
        return await self._writing.named(caller, key)

    async def _shown(self, caller: Caller, function: Function) -> Shown:
        return Shown(function, await self._contents.one(caller, _hash(function)))

    def _of(self, caller: Caller) -> Functions:
        return Functions(self._store, caller.tenant)


def _hash(function: Function) -> str:
    return function.active.code_hash if function.active is not None else ""


def _owner_id(function: Function) -> int:
    return function.plugin.user_id if function.plugin is not None else 0
