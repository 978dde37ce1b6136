"""What a function's webhooks are verified with, and a tenant's callbacks signed: several secrets at a time."""

import hashlib
import hmac

import msgspec

PREFIX = "whsec_"
"""What a secret of Standard Webhooks begins with; the rest is base64."""
_SIGNATURE_DIGITS = 32
MOST = 10
"""How many may be valid at a time."""


class SigningSecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret, as its sender has it. Times in Unix seconds; one whose `expires_at` is 0 does not expire."""

    secret: str
    created_at: float
    expires_at: float = 0.0

    def is_valid(self, now: float) -> bool:
        """Whether what is signed with it is believed."""
        return not self.expires_at or now < self.expires_at


class SigningSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """All secrets of a function's webhooks, the newest first, and `url_key`, which signs its URL.

    They are stored as JSON, sealed for `trigger_place(…, "webhook")`, in the `secret` of the trigger's config. Those of
    a tenant's callbacks have no `url_key`, and are sealed for `callback.secrets_place`.
    """

    url_key: str = ""
    secrets: tuple[SigningSecret, ...] = ()

    def valid(self, now: float) -> list[str]:
        """The secrets that are believed now."""
        return [one.secret for one in self.secrets if one.is_valid(now)]

    def rotated(self, secret: str, *, now: float, overlap_s: float) -> "SigningSecrets":
        """With a new secret; those before it are believed for `overlap_s` more at most."""
        before = [
            msgspec.structs.replace(one, expires_at=min(one.expires_at or now + overlap_s, now + overlap_s))
            for one in self.secrets
            if one.secret != secret and one.is_valid(now)
        ]
        new = SigningSecret(secret=secret, created_at=now)
        return msgspec.structs.replace(self, secrets=(new, *before)[:MOST])

    def url_signature(self, app: str, name: str) -> str:
        """What signs the URL of the function of this name in the app of this public id."""
        signed = hmac.digest(self.url_key.encode(), f"{app}/{name}".encode(), hashlib.sha256)
        return signed.hex()[:_SIGNATURE_DIGITS]


def opened(data: bytes) -> SigningSecrets:
    """What was stored; it may be from before there were several, and is one secret then."""
    try:
        return msgspec.json.decode(data, type=SigningSecrets)
    except msgspec.DecodeError:
        url_key = hashlib.sha256(b"webhook url " + data).hexdigest()
        return SigningSecrets(url_key=url_key, secrets=(SigningSecret(secret=data.decode(), created_at=0.0),))
