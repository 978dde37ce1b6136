"""Queues: what waits for executors, and what they have. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.routes.asked import By, To
from services.api.dialects.rest.translate import queues as translate
from services.api.dialects.rest.wire import queues as wire


async def show_queues(*, core: To, caller: By) -> wire.Queues:
    """What waits and what runs now: of the caller's tenant, or of all tenants for the operator's own token."""
    return translate.queues(await core.queues.shown(caller))
