"""What is known of functions and tenants: a cache that is never older than what a command has seen."""

from collections import Counter

from shared.bus.notices import FunctionChanged, IdentityChanged
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
        # Slugs by tenant, its changes so far, app and name: a change of any function may give a name another meaning.
        self._slugs: Remembered[tuple[str, int, int, str], str] = Remembered(self._ask_name, believed_s=cache_s)
        self._changes: Counter[str] = Counter()

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

    async def called(self, tenant: str, app: int, name: str) -> Function | None:
        """The function that is meant by this name in the app, if it is active. Raises Problem(unavailable).

        The one that was deployed under it, else the oldest of that name, else the one of that slug.
        """
        slug = await self._slugs.find((tenant, self._changes[tenant], app, name))
        found = None if slug is None else await self.find(tenant, slug, revision=0)
        if found is None or found.app != app or found.deleted_at is not None or not found.is_active:
            return None
        return found

    async def changed(self, notice: FunctionChanged) -> None:
        """Ask again at the next command."""
        self._functions.expire((notice.tenant, notice.function))
        self._changes[notice.tenant] += 1

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._functions.doubt()
        self._slugs.doubt()

    async def _ask_name(self, key: tuple[str, int, int, str]) -> str | None:
        tenant, _, app, name = key
        found = await Functions(self._store, tenant).called(app, name)
        return None if found is None else found.slug

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
