"""All functions that can be called. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import By, Size, To, Whole, an_app
from services.api.dialects.rest.translate import aggregate as translate
from services.api.dialects.rest.wire import aggregate as wire

MOST = 1000


@answers("not_found")
async def list_all(
    *, core: To, caller: By, app: str | None = None, limit: Size = None, offset: Whole = None
) -> wire.Aggregate:
    """The tenant's functions, or an app's, and the platform's."""
    found = await core.aggregate.listed(caller, app=an_app(app), limit=min(limit or MOST, MOST), skip=offset or 0)
    return translate.aggregate(found)
