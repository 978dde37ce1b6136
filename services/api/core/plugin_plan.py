"""The writes that make a tenant's plugins what they are to be; thought of anew as races are lost."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from services.api.core import plugin_values
from services.api.core.plugin_entries import Checked, wrong_entry
from services.api.core.plugin_values import Code
from services.api.core.plugins import MAX_PLUGINS
from services.api.core.writing import version_of
from shared import valves
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.function import ActiveVersion, Function, free_slug
from shared.domain.plugin import PLUGINS_APP, Plugin, valves_place
from shared.registry import Registry
from shared.secrets import Keyring
from shared.store.apps import Apps
from shared.store.client import Document, Store
from shared.store.functions import Functions
from shared.store.transactions import Write
from shared.store.versions import Versions


class Plan(NamedTuple):
    """All writes, as of `at`, and what there is after them: the `kept` as their entries stand, with some `new` ones.

    `slugs` are those that no new one can have.
    """

    at: datetime
    slugs: set[str]
    writes: list[Write]
    kept: list[Function]
    new: set[int]
    gone: list[Function]


class Planning:
    """One sync. What it has once taken, such as the ids of those that are new, serves every plan."""

    def __init__(
        self, store: Store, keyring: Keyring, caller: Caller, checked: Sequence[Checked], *, registry: Registry
    ) -> None:
        self._caller = caller
        self._checked = checked
        self._keyring = keyring
        self._registry = registry
        self._apps = Apps(store, caller.tenant)
        self._functions = Functions(store, caller.tenant)
        self._versions = Versions(store, caller.tenant)
        self._ids: dict[str, int] = {}
        self._version_ids: dict[str, int] = {}

    async def plan(self, app: App | None) -> Plan:
        """From what there is now. Raises Problem(invalid, unavailable).

        Of an existing plugin nothing counts that is overwritten anyway: what others change of it meanwhile came before.
        """
        plan = Plan(datetime.now(UTC), set(self._registry.slugs), [], [], set(), [])
        if app is None:
            return plan
        stored = {_plugin(one).key: one for one in await self._functions.plugins(limit=MAX_PLUGINS)}
        # Of two at once, the other would leave what this one does not know of.
        plan.writes.append(self._apps.touching(app))
        for checked in self._checked:
            before = stored.pop(checked.entry.key, None)
            if before is None:
                await self._add(plan, app, checked)
            else:
                await self._change(plan, before, checked)
        for gone in stored.values():
            self._retire(plan, gone)
        return plan

    async def _add(self, plan: Plan, app: App, checked: Checked) -> None:
        key = checked.entry.key
        id = self._ids[key] = self._ids.get(key) or await self._functions.next_id()
        holder = await self._functions.deployed(app.id, key)
        if holder is not None and holder.plugin is None:  # else it is one that came in this moment: the race is lost
            if holder.deleted_at is None:
                message = f"a function that is no plugin was deployed by this name in the app '{PLUGINS_APP}'"
                raise wrong_entry(key, message)
            plan.writes.append(self._functions.yielding_name(holder))
        plugin, active = self._plugin(checked, id, None), await self._active(plan, checked, id, None)
        wanted = plugin_values.slug_of(plugin)
        await self._functions.yield_slug_retired(wanted)
        slug = free_slug(wanted, plan.slugs | await self._functions.slugs_like(wanted))
        plan.slugs.add(slug)
        function = msgspec.structs.replace(
            plugin_values.function_of(
                app,
                plugin,
                Code(active, checked.examined),
                id=id,
                name=checked.draft.name,
                slug=slug,
                at=checked.created_at or plan.at,
            ),
            is_active=checked.entry.is_active,
            updated_at=plan.at,
        )
        plan.writes.append(self._functions.inserting(function))
        plan.kept.append(function)
        plan.new.add(id)

    async def _change(self, plan: Plan, before: Function, checked: Checked) -> None:
        plugin = self._plugin(checked, before.id, _plugin(before))
        active = await self._active(plan, checked, before.id, before.active)
        values: dict[str, Any] = {
            **plugin_values.change_of(plugin, Code(active, checked.examined), name=checked.draft.name),
            "is_active": checked.entry.is_active,
            "created_at": checked.created_at or before.created_at,
            "updated_at": plan.at,
        }
        at: Document = {"plugin.key": plugin.key}
        if active == before.active:
            at |= {"active.id": active.id, "active.code_hash": active.code_hash}
        plan.writes.append(self._functions.changing(before, at, values))
        plan.kept.append(_with(before, values))

    def _retire(self, plan: Plan, gone: Function) -> None:
        """Nobody sees it from then on, its key and its valves are gone; what else it has is removed after that."""
        plan.writes.append(self._functions.retiring(gone, at=plan.at))
        plan.gone.append(gone)

    def _plugin(self, checked: Checked, id: int, before: Plugin | None) -> Plugin:
        caller, entry, text = self._caller, checked.entry, ""
        if checked.valves is not None:
            place, secret = valves_place(caller.tenant, id), checked.examined.secret
            text = valves.kept(checked.valves, self._keyring, place=place, secret=secret)
        plugin = plugin_values.plugin_of(checked.draft, checked.examined, user_id=caller.user.id, before=before)
        return msgspec.structs.replace(plugin, valves=text, is_global=entry.is_global)

    async def _active(self, plan: Plan, checked: Checked, id: int, before: ActiveVersion | None) -> ActiveVersion:
        """The version that is active where it has this very code, else a new one."""
        if before is not None and before.code_hash == checked.digest:
            return before
        key = checked.entry.key
        number = self._version_ids[key] = self._version_ids.get(key) or await self._versions.next_id()
        version = version_of(self._caller, checked.digest, id=number, function_id=id)
        plan.writes.append(self._versions.inserting(version))
        return ActiveVersion(id=number, version=version.version, code_hash=checked.digest)


def _plugin(function: Function) -> Plugin:
    assert function.plugin is not None
    return function.plugin


def _with(function: Function, values: dict[str, Any]) -> Function:
    return msgspec.convert({**msgspec.to_builtins(function, builtin_types=(datetime,)), **values}, Function)
