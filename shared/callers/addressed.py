"""The app that a request is for: its path names one, by public id or by slug, and its host may name a tenant."""

from shared.app_directory import AppDirectory
from shared.callers.auth import Auth
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.tenant import DEFAULT


async def addressed_app(
    apps: AppDirectory, auth: Auth, named: str, *, host: str, caller: Caller | None = None
) -> App | None:
    """The app: a slug is one of the host's tenant, else of the caller's, else of the default one.

    None where there is none, or it is another tenant's than the host's.
    Raises Problem(not_found, invalid, unavailable).
    """
    host_tenant = await auth.host_tenant(host)
    app = await apps.find(named, tenant=host_tenant or (caller.tenant if caller else DEFAULT))
    return app if app is not None and host_tenant in (None, app.tenant) else None
