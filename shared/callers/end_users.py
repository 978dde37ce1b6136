"""End users of an app: who they are is said by a JWT that the app's own issuer signed.

What verifies a token is chosen by the app's settings alone. A token's header only picks among the keys that the
settings allow for its algorithm: an HMAC is checked with the app's secret and with nothing else, a signature with a
public key of the app's JWKS and with nothing else.
"""

import hashlib
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shared import telemetry
from shared.callers.jwks import Jwks
from shared.domain.app import App, EndUsers, jwt_secret_place
from shared.domain.function import check_freeform
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError

if TYPE_CHECKING:
    from jwt.types import Options

MAX_TOKEN = 8 << 10
"""Characters of a token; its claims are fewer."""
LEAST_SECRET = 32
"""Bytes of a shared secret: as many as the shortest hash. HS384 and HS512 ask for as many as theirs."""
_MAX_USER_ID = 255
_MAX_KID = 500
_LEEWAY_S = 30
_HMAC = frozenset({"HS256", "HS384", "HS512"})
_SIGNED = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
_MOST = 10_000
_log = telemetry.logger("end_users")

Refusal = Literal["invalid", "expired"]


class EndUser(NamedTuple):
    """Who a verified token speaks for. `expires` is in Unix seconds."""

    user_id: str
    claims: dict[str, Any]
    expires: float


class Verifier:
    """Verifies tokens; those that were good are remembered until they expire or their app changes."""

    def __init__(self, keyring: Keyring, jwks: Jwks) -> None:
        self._keyring = keyring
        self._jwks = jwks
        self._verified: dict[bytes, EndUser] = {}
        self._secrets: dict[str, bytes] = {}

    async def verified(self, app: App, token: str) -> EndUser | Refusal:
        """Who it speaks for, or what is wrong with it. Raises Problem(unavailable) when that cannot be found out."""
        if len(token) > MAX_TOKEN:
            return "invalid"
        name = hashlib.sha256(f"{app.public_id}/{app.revision}/{token}".encode()).digest()
        found = self._verified.get(name)
        if found is None:
            judged = await self._judged(app, token)
            if not isinstance(judged, EndUser):
                return judged
            found = judged
            if len(self._verified) >= _MOST:
                del self._verified[next(iter(self._verified))]
            self._verified[name] = found
        if found.expires + _LEEWAY_S <= time.time():
            self._verified.pop(name, None)
            return "expired"
        return found

    async def _judged(self, app: App, token: str) -> EndUser | Refusal:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            return "invalid"
        algorithm, kid = header.get("alg"), header.get("kid", "")
        if not isinstance(algorithm, str) or not isinstance(kid, str) or len(kid) > _MAX_KID or "crit" in header:
            return "invalid"
        key = await self._key(app, algorithm, kid)
        return "invalid" if key is None else _read(token, key, algorithm, settings=app.end_users)

    async def _key(self, app: App, algorithm: str, kid: str) -> Any:
        """What this app verifies such a token with; None for nothing."""
        settings = app.end_users
        if algorithm in _HMAC:
            return self._secret(app) if settings.jwt_secret else None
        if algorithm in _SIGNED and settings.jwks_url:
            found = await self._jwks.key(settings.jwks_url, kid, algorithm)
            return None if found is None else found.key
        return None

    def _secret(self, app: App) -> bytes:
        sealed = app.end_users.jwt_secret
        secret = self._secrets.get(sealed)
        if secret is None:
            try:
                secret = self._keyring.unseal(sealed, place=secret_place(app))
            except SealBrokenError as error:
                _log.error("jwt_secret cannot be opened", app=app.public_id, reason=str(error))
                raise Problem("unavailable", "The secret of this app's end users cannot be opened") from None
            if len(self._secrets) >= _MOST:
                self._secrets.clear()
            self._secrets[sealed] = secret
        return secret


def secret_place(app: App) -> str:
    """The place that an app's `jwt_secret` is sealed for."""
    return jwt_secret_place(app.tenant, app.id)


def _read(token: str, key: Any, algorithm: str, *, settings: EndUsers) -> EndUser | Refusal:
    import jwt

    options: Options = {
        "require": ["exp", *(["iss"] if settings.issuer else []), *(["aud"] if settings.audience else [])],
        "verify_aud": bool(settings.audience),
        "verify_iat": False,  # another machine's clock may be ahead of ours
        "verify_sub": False,  # any claim may be the user
        "verify_jti": False,
        "enforce_minimum_key_length": True,  # a short secret can be guessed from one token
    }
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=settings.issuer or None,
            audience=settings.audience or None,
            leeway=_LEEWAY_S,
            options=options,
        )
        check_freeform("claims", claims)
        return _end_user(claims, settings.user_claim)
    except jwt.ExpiredSignatureError:
        return "expired"
    except (jwt.PyJWTError, Problem, ValueError, TypeError, OverflowError, RecursionError):
        return "invalid"


def _end_user(claims: dict[str, Any], user_claim: str) -> EndUser | Refusal:
    """The user's id becomes a header line: it is one line of text."""
    user = claims.get(user_claim)
    if isinstance(user, int) and not isinstance(user, bool):
        user = str(user)
    if not isinstance(user, str) or not 0 < len(user) <= _MAX_USER_ID or not user.isprintable() or user.strip() != user:
        return "invalid"
    return EndUser(user, claims, float(claims["exp"]))
