"""The apps that requests speak of, by public id or by slug, at hand without a look into the store."""

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import AppChanged
from shared.domain.app import App, is_public_id
from shared.remembered import Remembered
from shared.store.apps import Apps, find_public
from shared.store.client import Store


class AppDirectory:
    """Apps, believed for `believed_s` or until they change."""

    def __init__(self, bus: Bus, store: Store, *, believed_s: float) -> None:
        self._bus = bus
        self._store = store
        self._places: Remembered[str, tuple[str, str]] = Remembered(self._ask_place, believed_s=believed_s)
        self._apps: Remembered[tuple[str, str], App] = Remembered(self._ask, believed_s=believed_s)

    async def open(self) -> None:
        """Hear of the changes that others make."""
        await self._bus.listen(subjects.app("*", "*"), self._changed, body=AppChanged)
        self._bus.on_return(self._apps.doubt)
        self._bus.on_return(self._places.doubt)

    async def find(self, id: str, *, tenant: str) -> App | None:
        """The app of this public id, whoever's it is, or of this slug of the tenant's. Raises Problem(unavailable)."""
        if not is_public_id(id):
            return await self._apps.find((tenant, id))
        place = await self._places.find(id)
        found = None if place is None else await self._apps.find(place)
        return found if found is not None and found.public_id == id else None

    async def announce(self, tenant: str, slug: str) -> None:
        """Say that an app has changed, to this process at once and to all others by bus."""
        notice = AppChanged(tenant=tenant, app=slug)
        await self._changed(notice)
        await self._bus.send(subjects.app(tenant, slug), notice)

    async def _changed(self, notice: AppChanged) -> None:
        self._apps.drop((notice.tenant, notice.app))
        self._places.drop_all(lambda _, place: place == (notice.tenant, notice.app))

    async def _ask(self, key: tuple[str, str]) -> App | None:
        tenant, slug = key
        return await Apps(self._store, tenant).find(slug)

    async def _ask_place(self, id: str) -> tuple[str, str] | None:
        found = await find_public(self._store, id)
        return None if found is None else (found.tenant, found.slug)
