"""Webhooks of functions: shown, rotated, and who has tried them. `services/api/routes.py` has the paths."""

from services.api.dialects.apps.routes.asked import Asked, By, To
from services.api.dialects.apps.translate import logs
from services.api.dialects.apps.translate import webhooks as translate
from services.api.dialects.apps.wire import webhooks as wire


async def show_webhook(request: Asked, *, core: To, caller: By, app_id: str, name: str) -> wire.Webhook:
    """Where a function's webhook is reached, what it takes, and since when its secrets are believed."""
    found = await core.webhooks.shown(caller, app_id, name)
    return translate.webhook(found, base=core.webhook_base or request.base)


async def rotate_webhook(
    request: Asked, *, core: To, caller: By, app_id: str, name: str, data: wire.Rotate | None = None
) -> wire.Rotated:
    """Another secret beside the former ones, which are believed for a while yet."""
    wanted = data or wire.Rotate()
    found = await core.webhooks.rotate(
        caller, app_id, name, overlap_s=wanted.overlap_seconds, secret=wanted.secret or ""
    )
    return translate.rotated(found, base=core.webhook_base or request.base)


async def list_attempts(request: Asked, *, core: To, caller: By, app_id: str, name: str) -> wire.Attempts:
    """Who has tried a function's webhook, and what was made of it; the newest first."""
    asked = request.query_params
    limit, before = logs.limit(asked.get("limit")), logs.moment(asked.get("before"), name="before")
    found = await core.webhooks.attempts(caller, app_id, name, limit=limit, before=before)
    return wire.Attempts([translate.attempt(one) for one in found])
