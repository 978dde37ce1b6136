"""A request as the handlers of every dialect are given it."""

import asyncio
from typing import Any

from litestar import Request
from litestar.datastructures import State

from services.api import bodies
from shared.domain.caller import Caller
from shared.exchange import late


class Asked(Request[Caller, Any, State]):
    """A request whose body is read and decoded by the same rules everywhere."""

    async def body(self) -> bytes:
        """The body as it came. Raises Problem(invalid) when it takes too long."""
        within_s: float = self.app.state.body_wait_s
        try:
            async with asyncio.timeout(within_s):
                return await super().body()
        except TimeoutError:
            raise late(within_s) from None

    async def json(self) -> Any:
        """The body as the handler wants it, which the framework would read less strictly. Raises Problem(invalid)."""
        wanted = self.route_handler.parsed_data_field
        return bodies.body_of(Any if wanted is None else wanted.annotation, await self.body())

    @property
    def asked_url(self) -> str:
        """The URL as it was asked for: the framework's own has lost its last slash."""
        path, query = self.scope["raw_path"].decode("latin-1"), self.scope["query_string"].decode("latin-1")
        return f"{self.base}{path}{'?' if query else ''}{query}"

    @property
    def base(self) -> str:
        """The scheme and the host that were asked."""
        return f"{self.url.scheme}://{self.url.netloc}"
