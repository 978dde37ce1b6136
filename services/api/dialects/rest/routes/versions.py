"""Code versions: uploaded, edited, listed, activated. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, Numbered, To, Within, Word, an_app
from services.api.dialects.rest.translate import versions as translate
from services.api.dialects.rest.wire import versions as wire
from services.api.dialects.rest.wire.pages import Page


@answers("conflict")
async def upload_code(
    *, core: To, caller: By, slug: str, data: wire.UploadCode, app: str | None = None
) -> wire.Version:
    """A new version of a function's code."""
    return translate.version(await core.versions.upload(caller, slug, translate.upload(data), app=app))


@answers("conflict")
async def edit_code(*, core: To, caller: By, slug: str, data: wire.PatchCode, app: str | None = None) -> wire.Version:
    """Other code for the active version."""
    return translate.version(await core.versions.edit(caller, slug, data.code, app=app))


async def list_code(
    request: Asked, *, core: To, caller: By, part: Within, app: str | None = None, function__slug: Word = None
) -> Page[wire.VersionRow]:
    """Versions of a function, or of all."""
    slug, app = function__slug, an_app(app)
    count, found = await core.versions.listed(caller, slug, app=app, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.version_row(shown) for shown in found], request)


async def list_versions(
    request: Asked, *, core: To, caller: By, slug: str, part: Within, app: str | None = None
) -> Page[wire.VersionRow]:
    """Versions of a function."""
    count, found = await core.versions.of(caller, slug, app=app, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.version_row(shown) for shown in found], request)


@answers("invalid", "conflict")
async def activate_code(*, core: To, caller: By, number: Numbered, app: str | None = None) -> wire.Version:
    """The version that is to run from now on."""
    return translate.version(await core.versions.activate(caller, number, app=app))
