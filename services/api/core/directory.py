"""The functions that callers ask for, at hand without a look into the store."""

from typing import NamedTuple

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import FunctionChanged
from shared.domain.app import App
from shared.domain.function import Function
from shared.registry import WITHOUT_PACKAGES, Registry
from shared.remembered import Remembered
from shared.store.client import Store
from shared.store.functions import Functions

_DELETED = 0  # the revision in the notice of a deletion
_NOTICES = 1000  # the last ones, for the look-ups that are under way when they come


class _Name(NamedTuple):
    """What a function is called in an app, as of so many changes of its tenant's functions."""

    tenant: str
    app: int
    name: str
    changes: int


class Directory:
    """Functions by tenant and slug, believed for `believed_s` or until they change; those of the `registry` always."""

    def __init__(self, bus: Bus, store: Store, *, believed_s: float, registry: Registry = WITHOUT_PACKAGES) -> None:
        self._bus = bus
        self._store = store
        self._registry = registry
        self._noticed: dict[tuple[str, str], int] = {}
        self._functions: Remembered[tuple[str, str], Function] = Remembered(self._ask, believed_s=believed_s)
        self._slugs: Remembered[_Name, str] = Remembered(self._ask_slug, believed_s=believed_s)
        self._changes: dict[str, int] = {}

    async def open(self) -> None:
        """Hear of the changes that others make."""
        await self._bus.listen(subjects.changed("*", "*"), self._changed, body=FunctionChanged)
        self._bus.on_return(self._functions.doubt)
        self._bus.on_return(self._slugs.doubt)

    async def find(self, tenant: str, slug: str) -> Function | None:
        """The function, active or not, or None. Raises Problem(unavailable) for one not seen before."""
        return self._registry.offered(tenant, slug) or await self._functions.find((tenant, slug))

    async def named(self, app: App, name: str) -> Function | None:
        """The function of an app by the name it is called by, active or not, or None. Raises Problem(unavailable).

        That is the name it was deployed as; for one that was not deployed by name its name, or else its slug.
        """
        # A change of any of the tenant's functions may be one of names: then all are looked up anew.
        slug = await self._slugs.find(_Name(app.tenant, app.id, name, self._changes.get(app.tenant, 0)))
        found = None if slug is None else await self.find(app.tenant, slug)
        return found if found is not None and found.app == app.id else None

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
        self._count_change(tenant)
        await self._bus.send(
            subjects.changed(tenant, slug), FunctionChanged(tenant=tenant, function=slug, revision=revision)
        )

    async def _changed(self, notice: FunctionChanged) -> None:
        key = (notice.tenant, notice.function)
        self._count_change(notice.tenant)
        known = self._functions.known(key)
        if notice.revision == _DELETED or (known is not None and known.revision < notice.revision):
            self._functions.drop(key)
        self._noticed[key] = notice.revision
        if len(self._noticed) > _NOTICES:
            del self._noticed[next(iter(self._noticed))]

    def _count_change(self, tenant: str) -> None:
        self._changes[tenant] = self._changes.get(tenant, 0) + 1

    async def _ask_slug(self, key: _Name) -> str | None:
        found = await Functions(self._store, key.tenant).called(key.app, key.name)
        return None if found is None else found.slug

    async def _ask(self, key: tuple[str, str]) -> Function | None:
        tenant, slug = key
        found = await Functions(self._store, tenant).by_slug(slug)
        if found is not None and found.revision < self._noticed.get(key, 0):  # it changed while it was read
            found = await Functions(self._store, tenant).by_slug(slug)
        return found
