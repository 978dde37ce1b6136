"""Logins: begun, kept up, ended. `services/api/routes.py` has the paths; nobody has to be known for them."""

from services.api.core.logins import REFUSED
from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, To, count_attempt
from services.api.dialects.rest.translate import logins as translate
from services.api.dialects.rest.wire import logins as wire
from shared.domain.problem import Problem
from shared.domain.tenant import DEFAULT

_TENANT = 100  # characters of a header, of which no tenant's name has as many


@answers("unauthenticated")
async def log_in(request: Asked, *, core: To, data: wire.Login) -> wire.Pair:
    """The tokens for a name and a password."""
    tenant = await _tenant(request, data.tenant, data.username)
    return translate.pair(await core.logins.by_password(tenant, data.username, data.password))


@answers("unauthenticated")
async def log_in_by_address(request: Asked, *, core: To, data: wire.AppLogin) -> wire.AppPair:
    """The tokens for an address, or a name, and a password."""
    if bool(data.email) == bool(data.username):
        message = "exactly one of email and username is required"
        raise Problem("invalid", message, {"email": message})
    name = data.email or data.username
    tenant = await _tenant(request, data.tenant, name)
    return translate.app_pair(await core.logins.by_password(tenant, name, data.password, by_email=bool(data.email)))


@answers("unauthenticated")
async def refresh(request: Asked, *, core: To, data: wire.Refresh) -> wire.Pair:
    """The next tokens of a login."""
    return translate.pair(await core.logins.refreshed(data.refresh, host=request.state.host_tenant))


@answers("unauthenticated")
async def log_out(request: Asked, *, core: To, data: wire.Refresh) -> wire.Ended:
    """The end of a login."""
    await core.logins.end(data.refresh, host=request.state.host_tenant)
    return wire.Ended()


async def _tenant(request: Asked, named: str, username: str) -> str:
    """The host's word, else the body's or the header's, which may not contradict it or each other.

    The attempt is counted for the user whom it names. Raises Problem(unauthenticated, rate_limited).
    """
    said = {name for name in (request.state.host_tenant, named, request.headers.get("x-tenant", "")[:_TENANT]) if name}
    if len(said) > 1:
        raise Problem("unauthenticated", REFUSED)
    tenant = str(said.pop()) if said else DEFAULT
    await count_attempt(request, tenant=tenant, username=username)
    return tenant
