"""What callbacks are signed with, as who keeps the tenant sees it: shown, and replaced."""

from services.api.core.rights import must_administer
from shared import telemetry
from shared.callback_secrets import CallbackSecrets
from shared.domain.caller import Caller
from shared.domain.signing_secrets import SigningSecrets

_log = telemetry.logger("api")


class Callbacks:
    """What can be done with them. Every method raises Problem(forbidden, conflict, unavailable)."""

    def __init__(self, secrets: CallbackSecrets) -> None:
        self._secrets = secrets

    async def secret(self, caller: Caller) -> SigningSecrets:
        """Those that sign now, the newest first; made where there are none."""
        must_administer(caller)
        return await self._secrets.of(caller.tenant)

    async def rotate(self, caller: Caller, *, overlap_s: float) -> SigningSecrets:
        """A new one; those before it sign beside it for `overlap_s` more."""
        must_administer(caller)
        rotated = await self._secrets.rotate(caller.tenant, overlap_s=overlap_s)
        _log.info("callback secret rotated", tenant=caller.tenant, user=caller.user.username, overlap_s=overlap_s)
        return rotated
