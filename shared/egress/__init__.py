"""Requests to addresses that users chose: one factory for an HTTP client that goes nowhere it must not.

`open_client` is all that a service needs. A request raises `httpx.HTTPError`, or `EgressRefused` where it would have
gone to a network that is not public and that the operator has not opened. Redirects are not followed: who follows one
sends a new request, which is checked like the first.
"""

import ssl
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from shared.config import ConfigError, Platform
from shared.egress.addresses import Guard, guard_of
from shared.egress.backend import EgressRefused, GuardedBackend
from shared.egress.connections import Connections
from shared.egress.lookup import Lookup
from shared.egress.pinned import pinned

__all__ = ["EgressRefused", "Guard", "guard_of", "open_client", "pinned", "trust"]

_IDLE_CONNECTIONS = 64
_IDLE_S = 30.0


def open_client(
    platform: Platform,
    *,
    timeout_s: float,
    idle_connections: int = _IDLE_CONNECTIONS,
    idle_s: float = _IDLE_S,
    resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
) -> httpx.AsyncClient:
    """A client with HTTP/2 and kept connections, to be closed with `aclose`. Raises ConfigError.

    `timeout_s` bounds each wait for bytes; a bound on a whole request is the caller's to keep. How many requests are
    under way is the caller's to bound, too: each has a connection. `idle_connections` are kept for up to `idle_s`.
    Cookies are not kept.
    `resolve` says which addresses a name has, the system's resolver unless it is given.
    """
    backend = GuardedBackend(guard_of(platform), resolve or Lookup(), lookup_s=platform.egress_lookup_s)
    return httpx.AsyncClient(
        transport=Connections(backend, tls=trust(platform), most_idle=idle_connections, idle_s=idle_s),
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, platform.egress_connect_s)),
        # Every tenant's requests go through this client: what a host sets for one must not reach it with another's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
    )


def trust(platform: Platform) -> ssl.SSLContext:
    """The usual authorities, and the operator's own."""
    tls = httpx.create_ssl_context(trust_env=False)
    if platform.egress_ca_file:
        try:
            tls.load_verify_locations(cafile=platform.egress_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"SHOAL_EGRESS_CA_FILE: {platform.egress_ca_file} cannot be read: {error}") from None
    return tls
