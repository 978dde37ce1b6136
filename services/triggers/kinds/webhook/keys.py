"""Which of the secrets has signed, if any."""

import hmac
from collections.abc import Iterator, Sequence

from services.triggers.kinds.webhook.claim import Claim, base64_bytes
from services.triggers.kinds.webhook.schemes import Scheme

_PUBLIC = "whpk_"
_DECODED = ("whsec_", "v1,whsec_")
_KEY_BYTES = range(16, 65)  # of a secret that may be base64 or not: fewer are a word that happens to look like it


def signed_text(claim: Claim, scheme: Scheme, secrets: Sequence[str]) -> bytes | None:
    """The text that one of the secrets has signed: each is tried, and each signature against it, in constant time."""
    for text in claim.texts:
        for key in _keys(secrets, scheme) if claim.signatures else ():
            expected = hmac.digest(key, text, claim.algorithm)
            if any(hmac.compare_digest(expected, one) for one in claim.signatures):
                return text
        for secret in secrets if claim.public else ():
            if secret.startswith(_PUBLIC) and _by_ed25519(secret.removeprefix(_PUBLIC), claim.public, text):
                return text
    return None


def is_token(given: str, secrets: Sequence[str]) -> bool:
    """Whether a token that was sent is one of the secrets."""
    said = given.encode("latin-1", "replace")
    return any(hmac.compare_digest(said, secret.encode()) for secret in _texts(secrets))


def _texts(secrets: Sequence[str]) -> Iterator[str]:
    """The secrets that are any: who knows a public key must not sign with it."""
    return (secret for secret in secrets if secret and not secret.startswith(_PUBLIC))


def _keys(secrets: Sequence[str], scheme: Scheme) -> Iterator[bytes]:
    for secret in _texts(secrets):
        if scheme.key == "text":
            yield secret.encode()
            continue
        known = next((prefix for prefix in _DECODED if secret.startswith(prefix)), "")
        decoded = base64_bytes(secret.removeprefix(known))
        if not known:
            yield secret.encode()
        if decoded and (known or len(decoded) in _KEY_BYTES):
            yield decoded


def _by_ed25519(key: str, signatures: Sequence[bytes], text: bytes) -> bool:
    """The library is loaded by the first sender that signs in this way."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = Ed25519PublicKey.from_public_bytes(base64_bytes(key))
    except ValueError:
        return False
    for signature in signatures:
        try:
            public.verify(signature, text)
        except InvalidSignature:
            continue
        return True
    return False
