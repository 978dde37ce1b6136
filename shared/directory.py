"""What is known of functions and tenants: a cache that is never older than what a command has seen."""

from shared.bus.messages import FunctionChanged, IdentityChanged
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.tenant import Tenant
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.remembered import Remembered
from shared.store import tenants
from shared.store.client import Store
from shared.store.functions import Functions


class Directory:
    """Functions by tenant and slug, asked for again after `cache_s`; what is known serves on without the store.

    System functions are those of the `registry`.
    """

    def __init__(self, store: Store, *, cache_s: float, registry: Registry = WITHOUT_PACKAGES) -> None:
        self._store = store
        self._registry = registry
        self._functions: Remembered[tuple[str, str], Function] = Remembered(self._ask, believed_s=cache_s)

    async def find(self, tenant: str, slug: str, *, revision: int, id: int = 0) -> Function | None:
        """The function at `revision` or newer, or None when there is none. Raises Problem(unavailable).

        `id` is the one that the command means: a function deleted and made anew has a higher one, and a lower revision.
        """
        if id == SYSTEM_ID and (system := self._registry.function(tenant, slug)):
            return system
        key = (tenant, slug)
        found = await self._functions.find(key)
        if found is not None and _at(found, id, revision):
            return found
        if found is not None or id:  # a look-up that found nothing may have begun before it was made
            return await self._functions.newer(key, lambda value: _at(value, id, revision))
        return None

    async def changed(self, notice: FunctionChanged) -> None:
        """Ask again at the next command."""
        self._functions.expire((notice.tenant, notice.function))

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._functions.doubt()

    async def _ask(self, key: tuple[str, str]) -> Function | None:
        tenant, slug = key
        return await Functions(self._store, tenant).by_slug(slug)


class Tenants:
    """Tenants by slug, asked for again after `cache_s`; one that is not in the store has no limits of its own."""

    def __init__(self, store: Store, *, cache_s: float) -> None:
        self._store = store
        self._tenants: Remembered[str, Tenant] = Remembered(self._ask, believed_s=cache_s)

    async def find(self, slug: str) -> Tenant:
        """The tenant. Raises Problem(unavailable) for one not seen before."""
        return await self._tenants.find(slug) or Tenant(slug=slug)

    async def changed(self, notice: IdentityChanged) -> None:
        """Ask again at its next use, unless it is a user's or a token's matter."""
        if not (notice.user_id or notice.token or notice.login):
            self._tenants.expire(notice.tenant)

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._tenants.doubt()

    async def _ask(self, slug: str) -> Tenant:
        return await tenants.find(self._store, slug) or Tenant(slug=slug)


def _at(function: Function, id: int, revision: int) -> bool:
    return function.id > id > 0 or (function.revision >= revision and id in (0, function.id))
