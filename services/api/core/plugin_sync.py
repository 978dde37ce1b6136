"""All plugins of a tenant at once: those that are sent are there afterwards, and no others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from services.api.core import plugin_entries
from services.api.core.directory import Directory
from services.api.core.plugin_entries import Checked, Entries
from services.api.core.plugin_plan import Plan, Planning
from services.api.core.plugin_writing import Beside
from services.api.core.plugins import MAX_PLUGINS
from services.api.core.rights import must_keep_plugins
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.plugin import PLUGINS_APP
from shared.domain.problem import Problem
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.transactions import together

Entry = plugin_entries.Entry
"""A plugin as it is to be."""

_TRIES = 10  # each is lost only to another sync, or to a change of a plugin's code, in the same moment
_AT_ONCE = 4  # functions that are told of, or removed, side by side


class Synced(NamedTuple):
    """A plugin as it is now, with its source and its valves; None where none are set."""

    function: Function
    content: str
    valves: dict[str, Any] | None


class PluginSync:
    """What makes a tenant's plugins those that are sent, all of it or nothing. `most` of one tenant."""

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
        self._beside = beside
        self._entries = Entries(beside.sources, beside.examining, most=most)
        self._registry = registry

    async def sync(self, caller: Caller, entries: Sequence[Entry]) -> list[Synced]:
        """Let these be all plugins, in this order; every other one is deleted.

        Raises Problem(invalid) naming what is wrong with one of them, Problem(conflict) where others kept on changing
        the same, and Problem(unavailable). Then nothing was written; but for one that comes after the writing, of which
        a repeat makes an end.
        """
        must_keep_plugins(caller)
        async with self._entries.checked(caller, entries) as checked:
            plan = await self._written(caller, checked)
        kept = await self._announced(caller, plan)
        await self._remove(caller)
        return [_synced(function, one) for function, one in zip(kept, checked, strict=True)]

    async def _written(self, caller: Caller, checked: Sequence[Checked]) -> Plan:
        planning = Planning(self._store, self._keyring, caller, checked, registry=self._registry)
        for _ in range(_TRIES):
            plan = await planning.plan(await self._app(caller, needed=bool(checked)))
            if not plan.writes or await together(self._store, caller.tenant, plan.writes):
                return plan
        raise Problem("conflict", "The plugins are being changed by others; try again in a moment")

    async def _app(self, caller: Caller, *, needed: bool) -> App | None:
        apps = self._beside.apps
        return await apps.kept(caller, PLUGINS_APP) if needed else await apps.meant(caller, PLUGINS_APP)

    async def _announced(self, caller: Caller, plan: Plan) -> list[Function]:
        """Those that are kept, as they are by now, when all have heard of them: and of those that are gone."""
        found = await Functions(self._store, caller.tenant).by_ids(function.id for function in plan.kept)
        now = {function.id: function for function in found}

        async def tell(function: Function) -> None:
            await self._directory.announce(function)
            await self._beside.history.add(caller, function, "Created" if function.id in plan.new else "Changed")

        for gone in plan.gone:
            await self._directory.announce(gone, deleted=True)
        await _each(found, tell)
        return [now.get(function.id, function) for function in plan.kept]

    async def _remove(self, caller: Caller) -> None:
        """What belongs to those that are gone: also of one sync before that was cut short here."""
        gone = await Functions(self._store, caller.tenant).retired(PLUGINS_APP, limit=MAX_PLUGINS)

        async def remove(function: Function) -> None:
            await self._beside.removal.remove(caller, function)

        await _each(gone, remove)


async def _each(functions: Iterable[Function], do: Callable[[Function], Awaitable[None]]) -> None:
    """A few side by side; what one of them raises is raised when all have ended."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(function: Function) -> None:
        async with room:
            await do(function)

    for outcome in await asyncio.gather(*map(one, functions), return_exceptions=True):
        if outcome is not None:
            raise outcome


def _synced(function: Function, checked: Checked) -> Synced:
    values = None if checked.valves is None else msgspec.json.decode(checked.valves, type=dict[str, Any])
    return Synced(function, checked.draft.content, values)
