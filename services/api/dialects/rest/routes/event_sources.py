"""Event sources: made, listed, shown, changed, deleted, given another token. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, Core, To, Within
from services.api.dialects.rest.translate import event_sources as translate
from services.api.dialects.rest.wire import event_sources as wire
from services.api.dialects.rest.wire.pages import Page


async def list_event_sources(request: Asked, *, core: To, caller: By, part: Within) -> Page[wire.EventSource]:
    """The tenant's event sources, by name."""
    count, found = await core.event_sources.listed(caller, limit=part.limit, skip=part.skip)
    base = _base(request, core)
    return part.page(count, [translate.source(one, base=base) for one in found], request)


async def create_event_source(
    request: Asked, *, core: To, caller: By, data: wire.CreateEventSource
) -> wire.NewEventSource:
    """A new event source. The token of one that events are posted to is shown this once."""
    made, token = await core.event_sources.create(caller, translate.draft(data))
    return translate.new_source(made, token, base=_base(request, core))


async def show_event_source(request: Asked, *, core: To, caller: By, name: str) -> wire.EventSource:
    """One event source, and how it does."""
    return translate.source(await core.event_sources.shown(caller, name), base=_base(request, core))


@answers("conflict")
async def change_event_source(
    request: Asked, *, core: To, caller: By, name: str, data: wire.PatchEventSource
) -> wire.EventSource:
    """Some of an event source's settings."""
    changed = await core.event_sources.change(caller, name, **translate.mentioned(data))
    return translate.source(changed, base=_base(request, core))


@answers("conflict", "invalid")
async def rotate_event_source_token(request: Asked, *, core: To, caller: By, name: str) -> wire.NewEventSource:
    """Another token for those who post events. The one before is good no more."""
    changed, token = await core.event_sources.rotate_token(caller, name)
    return translate.new_source(changed, token, base=_base(request, core))


async def delete_event_source(*, core: To, caller: By, name: str) -> None:
    """An event source, with what it has seen."""
    await core.event_sources.delete(caller, name)


def _base(request: Asked, core: Core) -> str:
    return core.events_base or request.base
