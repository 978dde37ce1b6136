"""Schedules: what comes next, and what became of the last ticks. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.routes.asked import By, To
from services.api.dialects.rest.translate import schedules as translate
from services.api.dialects.rest.wire import schedules as wire


async def show_schedule(*, core: To, caller: By, slug: str, app: str | None = None) -> wire.Schedule:
    """When a function runs by itself, and whether it did."""
    function = await core.functions.seen(caller, slug, app=app)
    return translate.schedule(await core.schedules.shown(function))
