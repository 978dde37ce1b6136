"""Functions: made, listed, shown, changed, deleted. `services/api/routes.py` has the paths."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from services.api.core import functions
from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, To, Within, Word, an_app
from services.api.dialects.rest.translate import functions as translate
from services.api.dialects.rest.wire import functions as wire
from services.api.dialects.rest.wire.pages import Page
from shared.domain.function import ExecutionMode

DEFAULT_APP = "default"


Filtered = NamedDependency[SkipValidation[functions.Wanted]]


async def wanted(
    *,
    app: str | None = None,
    execution_mode: ExecutionMode | None = None,
    category: Word = None,
    is_active: bool | None = None,
    schedule_enabled: bool | None = None,
    search: Word = None,
) -> functions.Wanted:
    """The functions that the path and the query ask for. Raises Problem(not_found)."""
    return functions.Wanted(
        app_slug=an_app(app),
        execution_mode=execution_mode,
        category=category,
        is_active=is_active,
        schedule_enabled=schedule_enabled,
        search=search,
    )


async def list_functions(
    request: Asked, *, core: To, caller: By, part: Within, wanted: Filtered, ordering: Word = None
) -> Page[wire.FunctionRow]:
    """Functions of an app, or of all."""
    count, found = await core.functions.listed(
        caller, wanted, ordering=ordering or "", limit=part.limit, skip=part.skip
    )
    return part.page(count, [translate.function_row(function) for function in found], request)


@answers("conflict")
async def create_function(*, core: To, caller: By, data: wire.CreateFunction, app: str = DEFAULT_APP) -> wire.Created:
    """A new function."""
    return translate.created(await core.functions.create(caller, translate.draft(app, data)))


async def show_function(*, core: To, caller: By, slug: str, app: str | None = None) -> wire.FunctionDetail:
    """One function."""
    return translate.detail(await core.functions.shown(caller, slug, app=app))


@answers("conflict")
async def change_function(
    *, core: To, caller: By, slug: str, data: wire.PatchFunction, app: str | None = None
) -> wire.FunctionDetail:
    """Some of a function's settings."""
    settings = translate.settings(data)
    return translate.detail(await core.functions.change(caller, slug, settings, app=app))


async def delete_function(*, core: To, caller: By, slug: str, app: str | None = None) -> None:
    """A function and all that belongs to it."""
    await core.functions.delete(caller, slug, app=app)
