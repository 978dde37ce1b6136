"""The history of a function. `services/api/routes.py` has the paths."""

from services.api.core.functions import no_function
from services.api.dialects.rest.routes.asked import By, Size, To, Whole
from services.api.dialects.rest.translate import history as translate
from services.api.dialects.rest.wire import history as wire

HISTORY, MAX_HISTORY = 100, 1000


async def list_history(
    *, core: To, caller: By, slug: str, app: str | None = None, limit: Size = None, offset: Whole = None
) -> list[wire.HistoryEntry]:
    """What a function was after each change, the newest first."""
    size = min(limit or HISTORY, MAX_HISTORY)
    found = await core.history.listed(caller, slug, app=app, limit=size, skip=offset or 0)
    if found is None:
        raise no_function(slug)
    return [translate.history_entry(entry) for entry in found]
