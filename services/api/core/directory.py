"""The functions that callers ask for, at hand without a look into the store."""

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import AppChanged, FunctionChanged
from shared.domain.app import App
from shared.domain.function import Function
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.remembered import Remembered
from shared.store.client import Store
from shared.store.functions import Functions

_DELETED = 0  # the revision in the notice of a deletion
_NOTICES = 1000  # the last ones, for the look-ups that are under way when they come


class Directory:
    """Functions by tenant and slug, believed for `believed_s` or until they change; those of the `registry` always."""

    def __init__(self, bus: Bus, store: Store, *, believed_s: float, registry: Registry = WITHOUT_PACKAGES) -> None:
        self._bus = bus
        self._store = store
        self._registry = registry
        self._noticed: dict[tuple[str, str], int] = {}
        self._functions: Remembered[tuple[str, str], Function] = Remembered(self._ask, believed_s=believed_s)

    async def open(self) -> None:
        """Hear of the changes that others make."""
        await self._bus.listen(subjects.changed("*", "*"), self._changed, body=FunctionChanged)
        self._bus.on_return(self._functions.doubt)

    async def find(self, tenant: str, slug: str) -> Function | None:
        """The function, active or not, or None. Raises Problem(unavailable) for one not seen before."""
        return self._registry.function(tenant, slug) or await self._functions.find((tenant, slug))

    def is_system(self, slug: str) -> bool:
        """Whether it is a system function's, and so nobody else's."""
        return slug in self._registry

    async def announce(self, function: Function, *, deleted: bool = False) -> None:
        """Say that a function has changed, to this process at once and to all others by bus."""
        revision = _DELETED if deleted else function.revision
        await self.announce_named(function.tenant, function.slug, revision=revision)

    async def announce_named(self, tenant: str, slug: str, *, revision: int) -> None:
        """`announce`, of a function that was not read whole."""
        self._functions.drop((tenant, slug))
        await self._bus.send(
            subjects.changed(tenant, slug), FunctionChanged(tenant=tenant, function=slug, revision=revision)
        )

    async def announce_app(self, app: App) -> None:
        """Say that an app has changed."""
        await self._bus.send(subjects.app(app.tenant, app.slug), AppChanged(tenant=app.tenant, app=app.slug))

    async def _changed(self, notice: FunctionChanged) -> None:
        key = (notice.tenant, notice.function)
        known = self._functions.known(key)
        if notice.revision == _DELETED or (known is not None and known.revision < notice.revision):
            self._functions.drop(key)
        self._noticed[key] = notice.revision
        if len(self._noticed) > _NOTICES:
            del self._noticed[next(iter(self._noticed))]

    async def _ask(self, key: tuple[str, str]) -> Function | None:
        tenant, slug = key
        found = await Functions(self._store, tenant).by_slug(slug)
        if found is not None and found.revision < self._noticed.get(key, 0):  # it changed while it was read
            found = await Functions(self._store, tenant).by_slug(slug)
        return found
