"""Who sends a request: `Authorization: Bearer <token>`, `Api-Key <token>` or `X-Session-Token: <token>`."""

from collections.abc import Iterable
from functools import lru_cache

from shared.callers import hosts
from shared.callers.identity import Identity
from shared.callers.signing import Signer
from shared.domain.caller import Caller
from shared.domain.problem import Problem
from shared.store import tokens

Headers = Iterable[tuple[bytes, bytes]]

_SCHEMES = frozenset({"bearer", "api-key"})
_JWT_BEGINS = "eyJ"  # {" in base64: what the header of every JSON Web Token begins with
_MOST_HOSTS = 1000


class Auth:
    """Headers in, a caller out. What was known a moment ago costs no look into the store.

    `domain` is the one below which each tenant has a host name of its own; empty where host names say nothing.
    """

    def __init__(self, identity: Identity, signer: Signer, *, domain: str) -> None:
        self._identity = identity
        self._signer = signer
        self._named = lru_cache(maxsize=_MOST_HOSTS)(lambda host: hosts.tenant_of(host, domain))

    async def caller(self, headers: Headers) -> Caller:
        """Whom the request speaks for. Raises Problem(unauthenticated, not_found, invalid, unavailable)."""
        token, host = _sent(headers)
        tenant = await self.host_tenant(host)
        if not token:
            raise Problem("unauthenticated", "Authentication credentials were not provided.")
        caller = await self.known(token)
        # A token of another tenant is as unknown here as one of nobody: that it exists is not told.
        if caller is None or tenant not in (None, caller.tenant):
            raise Problem("unauthenticated", "Invalid token.")
        return caller

    async def tenant(self, headers: Headers) -> str | None:
        """The tenant that the request's host names, or None. Raises Problem(not_found, invalid, unavailable)."""
        return await self.host_tenant(_sent(headers)[1])

    async def known(self, token: str) -> Caller | None:
        """For whom a token speaks, whatever host it is sent to. Raises Problem(unavailable)."""
        if not token.startswith(_JWT_BEGINS):
            return await self._identity.by_token(tokens.hashed(token))
        claims = self._signer.access(token)
        return None if claims is None else await self._identity.by_login(claims.tenant, claims.login)

    async def host_tenant(self, host: str) -> str | None:
        """The tenant that this host names, or None. Raises Problem(not_found, invalid, unavailable)."""
        tenant = self._named(host) if host else None
        if tenant is not None and await self._identity.tenant(tenant) is None:
            raise Problem("not_found", hosts.NO_SUCH_TENANT)
        return tenant


def _sent(headers: Headers) -> tuple[str, str]:
    """The token and the host. Raises Problem(unauthenticated, invalid) where there is more than one."""
    credential, host, seen, hosts_seen = "", "", 0, 0
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            credential = token.strip() if scheme.lower() in _SCHEMES else ""
            seen += 1
        elif name == b"x-session-token":
            credential = value.decode("latin-1").strip()
            seen += 1
        elif name == b"host":
            host = value.decode("latin-1")
            hosts_seen += 1
    if seen > 1:
        raise Problem("unauthenticated", "More than one credential was sent.")
    if hosts_seen > 1:
        raise Problem("invalid", "More than one Host header was sent")
    return credential, host
