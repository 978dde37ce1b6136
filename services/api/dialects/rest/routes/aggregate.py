"""All functions that can be called. `services/api/routes.py` has the path."""

from services.api.dialects.rest.routes.asked import By, Size, To, Whole
from services.api.dialects.rest.translate import aggregate as translate
from services.api.dialects.rest.wire import aggregate as wire

MOST = 1000


async def list_all(*, core: To, caller: By, limit: Size = None, offset: Whole = None) -> wire.Aggregate:
    """The tenant's functions, and the platform's."""
    found = await core.aggregate.listed(caller, limit=min(limit or MOST, MOST), skip=offset or 0)
    return translate.aggregate(found)
