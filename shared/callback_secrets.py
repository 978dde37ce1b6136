"""What a tenant's callbacks are signed with: made at the first need, shown to who keeps the tenant, rotated."""

import time

import msgspec

from shared.domain.callback import secrets_place
from shared.domain.problem import Problem
from shared.domain.signing_secrets import SigningSecrets
from shared.secrets import Keyring, SealBrokenError, new_signing_secret
from shared.store import callback_secrets as stored
from shared.store.client import Store

_TRIES = 20  # each is lost only to another change of the same tenant's secrets in the same moment


class CallbackSecrets:
    """Those of every tenant. Every method raises Problem(unavailable) without store, or without the operator's key."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    async def of(self, tenant: str) -> SigningSecrets:
        """Those that are good now, the newest first, and at least one."""
        self._keyring.check()
        owned = stored.CallbackSecrets(self._store, tenant)
        for _ in range(_TRIES):
            sealed = await owned.sealed()
            if sealed:
                return _good(self._opened(tenant, sealed))
            made = SigningSecrets().rotated(new_signing_secret(), now=time.time(), overlap_s=0)
            if await owned.replace("", self._sealed(tenant, made)):
                return made
        raise _busy()

    async def rotate(self, tenant: str, *, overlap_s: float) -> SigningSecrets:
        """A new one; those before it sign beside it for `overlap_s` more. Raises Problem(conflict).

        Where no key at hand opens those before it, it stands alone.
        """
        self._keyring.check()
        owned = stored.CallbackSecrets(self._store, tenant)
        for _ in range(_TRIES):
            sealed = await owned.sealed()
            try:
                before = self._opened(tenant, sealed) if sealed else SigningSecrets()
            except Problem:
                before = SigningSecrets()
            rotated = _good(before.rotated(new_signing_secret(), now=time.time(), overlap_s=overlap_s))
            if await owned.replace(sealed, self._sealed(tenant, rotated)):
                return rotated
        raise _busy()

    def _opened(self, tenant: str, sealed: str) -> SigningSecrets:
        try:
            data = self._keyring.unseal(sealed, place=secrets_place(tenant))
        except SealBrokenError:
            message = "The callbacks' secrets cannot be opened: the operator's key that sealed them is not at hand"
            raise Problem("unavailable", message) from None
        return msgspec.json.decode(data, type=SigningSecrets)

    def _sealed(self, tenant: str, secrets: SigningSecrets) -> str:
        return self._keyring.seal(msgspec.json.encode(secrets), place=secrets_place(tenant))


def _good(secrets: SigningSecrets) -> SigningSecrets:
    now = time.time()
    return msgspec.structs.replace(secrets, secrets=tuple(one for one in secrets.secrets if one.is_valid(now)))


def _busy() -> Problem:
    return Problem("conflict", "The callbacks' secrets are being changed by others; try again in a moment")
