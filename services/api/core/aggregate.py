"""All that can be called: a tenant's own functions, and those that the platform has for everybody."""

from typing import NamedTuple

from services.api.core.functions import Functions, Wanted
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.registry import Registry


class Callables(NamedTuple):
    """A part of the tenant's functions, every system function's slug, and how many there are of both together."""

    functions: list[Function]
    system: list[str]
    total: int


class Aggregate:
    """Functions from all sources."""

    def __init__(self, functions: Functions, registry: Registry) -> None:
        self._functions = functions
        self._registry = registry

    async def listed(self, caller: Caller, *, app: str | None, limit: int, skip: int) -> Callables:
        """At most `limit` of the tenant's functions, or of an app's, by id. Raises Problem(unavailable)."""
        wanted = Wanted(app_slug=app)
        count, found = await self._functions.listed(caller, wanted, ordering="id", limit=limit, skip=skip)
        slugs = self._registry.slugs
        return Callables(found, slugs, count + len(slugs))
