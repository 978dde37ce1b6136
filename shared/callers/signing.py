"""The tokens of a login: JSON Web Tokens, signed with keys derived from the operator's, one for each purpose.

The library is loaded by the first login: an API that knows only tokens of its own does without its megabytes.
Who verifies knows the algorithm and the keys beforehand: nothing in a token's header is believed, nor its `kid`.
"""

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from shared.secrets import Keyring

if TYPE_CHECKING:
    from jwt.types import Options

Purpose = Literal["access", "refresh"]

_ALGORITHM = "HS256"
_ISSUER = "shoal"
# Another replica's clock may be ahead of ours: what it has just signed is good, though issued in our future.
_CHECKS: "Options" = {"require": ["exp", "iss", "sub", "tenant", "login", "turn", "type"], "verify_iat": False}
_MAX_BYTES = 4096
_MOST = 10_000
_DOTS = 2


class Claims(NamedTuple):
    """What a verified token says. `expires` is in Unix seconds."""

    tenant: str
    user_id: int
    login: str
    turn: int
    expires: float


class Signer:
    """Signs for `access_s` and `refresh_s`; access tokens that were verified are remembered until they expire."""

    def __init__(self, keyring: Keyring, *, access_s: float, refresh_s: float) -> None:
        self._keyring = keyring
        self._lasts_s: dict[Purpose, float] = {"access": access_s, "refresh": refresh_s}
        self._derived: dict[Purpose, list[bytes]] = {}
        self._verified: dict[bytes, Claims] = {}

    @property
    def refresh_s(self) -> float:
        """How long a refresh token lasts."""
        return self._lasts_s["refresh"]

    def signed(self, purpose: Purpose, *, tenant: str, user_id: int, login: str, turn: int) -> str:
        """A new token. Raises Problem(unavailable) when the operator has set no key."""
        import jwt

        key = self._keys(purpose)[0]
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": _ISSUER,
            "type": purpose,
            "sub": str(user_id),
            "tenant": tenant,
            "login": login,
            "turn": turn,
            "iat": now,
            "exp": now + int(self._lasts_s[purpose]),
        }
        return jwt.encode(claims, key, algorithm=_ALGORITHM)

    def access(self, token: str) -> Claims | None:
        """What an access token says; None for one that is not ours, was changed or has expired.

        Verifying costs some 50 us, the hash that finds it again 1.
        """
        name = hashlib.sha256(token.encode()).digest()
        claims = self._verified.get(name)
        if claims is None:
            claims = self.read("access", token)
            if claims is None:
                return None
            if len(self._verified) >= _MOST:
                del self._verified[next(iter(self._verified))]
            self._verified[name] = claims
        if claims.expires <= time.time():
            del self._verified[name]
            return None
        return claims

    def read(self, purpose: Purpose, token: str) -> Claims | None:
        """What a token says; None for one that is not ours for this purpose, was changed or has expired."""
        if len(token) > _MAX_BYTES or not self._keyring:
            return None
        import jwt

        for key in self._keys(purpose):
            try:
                found = jwt.decode(token, key, algorithms=[_ALGORITHM], issuer=_ISSUER, options=_CHECKS)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, ValueError, RecursionError):
                return None
            return _claims(found) if found["type"] == purpose else None
        return None

    def _keys(self, purpose: Purpose) -> list[bytes]:
        """The first one signs. Raises Problem(unavailable) when the operator has set no key."""
        if purpose not in self._derived:
            self._derived[purpose] = self._keyring.derived(f"jwt {purpose}")
        return self._derived[purpose]


def is_ours(token: str) -> bool:
    """Whether it says of itself that it is the token of a login: it may be forged, or over."""
    payload = token.split(".")[1] if token.count(".") == _DOTS else ""
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Said)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return said.iss == _ISSUER and bool(said.login)


class _Said(msgspec.Struct):
    iss: str
    login: str


def _claims(found: dict[str, Any]) -> Claims | None:
    """We have signed it: its values are as `signed` writes them, or it is from another version of us."""
    match found:
        case {"tenant": str(tenant), "sub": str(sub), "login": str(login), "turn": int(turn)} if sub.isdecimal():
            return Claims(tenant, int(sub), login, turn, float(found["exp"]))
    return None
