"""What the webhooks of a function are verified with: made, taken, kept and replaced, and sealed as one."""

import os
import time
from typing import Any, NamedTuple

import msgspec

from shared.domain import signing_secrets
from shared.domain.app import App
from shared.domain.function import Function
from shared.domain.problem import wrong
from shared.domain.signing_secrets import SigningSecret, SigningSecrets
from shared.domain.trigger import SHOWN_SECRET, Trigger, trigger_place
from shared.secrets import Keyring, SealBrokenError, new_signing_secret

_KEY_BYTES = 32


class Kept(NamedTuple):
    """What is to be stored; `generated` is the secret that was made for it, empty where none was."""

    sealed: str
    generated: str = ""


class WebhookSecrets:
    """Seals and opens them."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def kept(self, config: dict[str, Any], *, tenant: str, function_id: int, before: Function | None) -> Kept:
        """What a deployment of this config keeps: a secret that it names, else those that are stored, else a new one.

        Raises Problem(invalid) for the stand-in of a secret where none is stored, and Problem(unavailable) without a
        key of the operator.
        """
        self._keyring.check()
        stored, wanted = _stored(before), config.get("secret", SHOWN_SECRET)
        if "secret" in config and wanted == SHOWN_SECRET and not stored:
            message = f"secret is '{SHOWN_SECRET}', and none is stored that it could stand for; send the secret itself"
            raise wrong("triggers.webhook.secret", message)
        known = None if before is None else self.of(before)
        if wanted != SHOWN_SECRET:
            if known is not None and known.secrets and known.secrets[0].secret == wanted:
                return Kept(stored)
            return Kept(self._sealed(_with_only(known, wanted), tenant, function_id))
        if stored and (known is None or known.valid(time.time()) or config.get("secret_required") is False):
            return Kept(stored)  # what no key at hand opens stays as it is, too: the key may be found again
        if config.get("secret_required") is False:
            return Kept(self._sealed(SigningSecrets(url_key=_url_key()), tenant, function_id))
        generated = new_signing_secret()
        return Kept(self._sealed(_with_only(known, generated), tenant, function_id), generated)

    def of(self, function: Function) -> SigningSecrets | None:
        """Those of a function; None where it has none, or where no key at hand opens them."""
        stored = _stored(function)
        if not stored:
            return None
        try:
            return signing_secrets.opened(self._keyring.unseal(stored, place=_place(function.tenant, function.id)))
        except SealBrokenError:
            return None

    def rotated(self, function: Function, secret: str, *, overlap_s: float) -> SigningSecrets:
        """Those of a function with a new one; where they cannot be opened, it stands alone, and the URL is another."""
        known = self.of(function)
        if known is None:
            return _with_only(None, secret)
        now = time.time()
        rotated = known.rotated(secret, now=now, overlap_s=overlap_s)
        valid = tuple(one for one in rotated.secrets if one.is_valid(now))
        return msgspec.structs.replace(rotated, secrets=valid)

    def sealed(self, function: Function, secrets: SigningSecrets) -> str:
        """As they are stored. Raises Problem(unavailable) without a key of the operator."""
        return self._sealed(secrets, function.tenant, function.id)

    def url_signature(self, app: App, function: Function) -> str:
        """What signs the URL of a function's webhook; empty where it has none, or none that can be opened."""
        known = self.of(function)
        return "" if known is None else known.url_signature(app.public_id, function.deployed_as or function.name)

    def _sealed(self, secrets: SigningSecrets, tenant: str, function_id: int) -> str:
        return self._keyring.seal(msgspec.json.encode(secrets), place=_place(tenant, function_id))


def trigger_of(function: Function) -> Trigger | None:
    """A function's trigger of kind webhook, enabled or not."""
    return next((trigger for trigger in function.triggers if trigger.type == "webhook"), None)


def _url_key() -> str:
    return os.urandom(_KEY_BYTES).hex()


def _with_only(known: SigningSecrets | None, secret: str) -> SigningSecrets:
    """This secret and no other; the URL stays what it was."""
    one = SigningSecret(secret=secret, created_at=time.time())
    return SigningSecrets(url_key=_url_key() if known is None else known.url_key, secrets=(one,))


def _place(tenant: str, function_id: int) -> str:
    return trigger_place(tenant, function_id, "webhook")


def _stored(function: Function | None) -> str:
    """The sealed text, empty where there is none."""
    trigger = None if function is None else trigger_of(function)
    return "" if trigger is None else str(trigger.config.get("secret", ""))
