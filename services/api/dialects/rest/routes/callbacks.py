"""Callbacks: what they are signed with, shown and replaced. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import By, To
from services.api.dialects.rest.translate import callbacks as translate
from services.api.dialects.rest.wire import callbacks as wire


@answers("conflict")
async def show_callback_secret(*, core: To, caller: By) -> wire.CallbackSecrets:
    """What the tenant's callbacks are signed with. For administrators; it is made when it is first needed."""
    return translate.secrets(await core.callbacks.secret(caller))


@answers("conflict")
async def rotate_callback_secret(
    *, core: To, caller: By, data: wire.RotateCallbackSecret | None = None
) -> wire.CallbackSecrets:
    """Another secret for callbacks. Those before it sign beside it for a while, a day unless it is said."""
    wanted = data or wire.RotateCallbackSecret()
    return translate.secrets(await core.callbacks.rotate(caller, overlap_s=wanted.overlap_s))
