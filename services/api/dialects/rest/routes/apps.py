"""Apps: made, listed, shown, renamed, deleted. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, To, Within
from services.api.dialects.rest.translate import apps as translate
from services.api.dialects.rest.wire import apps as wire
from services.api.dialects.rest.wire.pages import Page


async def list_apps(request: Asked, *, core: To, caller: By, part: Within) -> Page[wire.App]:
    """The tenant's apps."""
    count, found = await core.apps.listed(caller, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.app(app) for app in found], request)


async def create_app(*, core: To, caller: By, data: wire.CreateApp) -> wire.App:
    """A new app."""
    return translate.app(await core.apps.create(caller, name=data.name, slug=data.slug))


async def show_app(*, core: To, caller: By, app: str) -> wire.App:
    """One app."""
    return translate.app(await core.apps.shown(caller, app))


async def rename_app(*, core: To, caller: By, app: str, data: wire.PatchApp) -> wire.App:
    """Another name for an app."""
    return translate.app(await core.apps.rename(caller, app, data.name))


@answers("conflict")
async def delete_app(*, core: To, caller: By, app: str) -> None:
    """An app that has no functions."""
    await core.apps.delete(caller, app)
