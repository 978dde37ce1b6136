"""Functions: made, listed, shown, changed, switched, deleted, synced. `services/api/routes.py` has the paths."""

from services.api.dialects.webui.routes.asked import By, To
from services.api.dialects.webui.translate import functions as translate
from services.api.dialects.webui.translate import refusals
from services.api.dialects.webui.translate.refusals import told
from services.api.dialects.webui.wire import functions as wire


async def list_plugins(*, core: To, caller: By) -> list[wire.Response]:
    """All functions, for everybody."""
    return [translate.response(function) for function in await core.plugins.listed(caller)]


async def list_with_owners(*, core: To, caller: By) -> list[wire.Row]:
    """All functions with who has made them, the last changed first."""
    return [translate.row(owned) for owned in await core.plugins.with_owners(caller)]


async def export_plugins(
    *, core: To, caller: By, include_valves: bool = False
) -> list[wire.Model] | list[wire.WithValves]:
    """All functions with their code, and with their valves where these are asked for."""
    found = await core.plugins.exported(caller)
    if not include_valves:
        return [translate.model(shown) for shown in found]
    valves = core.valves
    return [
        translate.with_valves(
            shown, valves.opened(shown.function) if translate.plugin_of(shown.function).valves else None
        )
        for shown in found
    ]


async def create_plugin(*, core: To, caller: By, data: wire.Form) -> wire.Response:
    """A new function, which is not active yet."""
    with told(refusals.of_creation):
        return translate.response(await core.plugins.create(caller, translate.draft(data)))


async def sync_plugins(*, core: To, caller: By, data: wire.Sync) -> list[wire.WithValves]:
    """All functions as they are to be, and no others."""
    with told(refusals.of_sync):
        found = await core.sync.sync(caller, [translate.entry(one) for one in data.functions])
    return [translate.synced(one) for one in found]


async def show_plugin(*, core: To, caller: By, id: str) -> wire.Model:
    """One function."""
    return translate.model(await core.plugins.shown(caller, id))


async def update_plugin(*, core: To, caller: By, id: str, data: wire.Form) -> wire.Model:
    """Another name, code and meta of a function."""
    with told(refusals.of_update):
        shown = await core.plugins.update(caller, id, translate.draft(data), message=data.commit_message or "")
    return translate.model(shown)


async def toggle_plugin(*, core: To, caller: By, id: str) -> wire.Model:
    """A function that is active from now on, or is not any more."""
    return translate.model(await core.plugins.toggle(caller, id))


async def toggle_plugin_global(*, core: To, caller: By, id: str) -> wire.Model:
    """A function that is for everybody from now on, or is not any more."""
    return translate.model(await core.plugins.toggle_global(caller, id))


async def delete_plugin(*, core: To, caller: By, id: str) -> bool:
    """A function that is not to be there any more, whether it was or not."""
    await core.plugins.delete(caller, id)
    return True
