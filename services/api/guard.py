"""What every request that has a route passes before its handler: who sends it, how often, and whether he may."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api import families
from services.api.dialects.rest import queries
from services.api.dialects.webui.routes.asked import Asked as AskedOfPlugins
from services.api.rates import METER, Meter
from shared.callers.auth import Auth
from shared.domain.caller import Caller

Connection = ASGIConnection[Any, Any, Any, Any]


class Guard:
    """The guard of the whole route table. `given` is what handlers are given by name."""

    def __init__(self, auth: Auth, given: dict[str, Callable[..., Any]]) -> None:
        self._auth = auth
        self._given = given

    async def known(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises Problem(unauthenticated, forbidden, rate_limited, not_found, invalid, unavailable)."""
        if connection.scope["method"] == "OPTIONS":  # type: ignore[typeddict-item]
            return  # what a path knows is no secret, and browsers ask for it without a token
        if isinstance(connection, AskedOfPlugins):
            await connection.judge()
        headers = connection.scope["headers"]
        if handler.opt.get("anonymous"):
            connection.state.host_tenant = await self._auth.tenant(headers)
        else:
            await self._count(connection, await self._auth.caller(headers), handler)
        if families.is_of_rest(connection.scope["path"]):
            queries.refuse_null(connection, handler, self._given)

    async def _count(self, connection: Connection, caller: Caller, handler: BaseRouteHandler) -> None:
        connection.scope["user"] = caller
        meter: Meter | None = connection.scope.get(METER)  # type: ignore[assignment]  # `Door` has put it there
        if meter is not None:
            await meter.spend(caller)
        if right := handler.opt.get("right"):
            right(caller)
