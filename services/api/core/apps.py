"""Apps: named groups of a tenant's functions."""

from services.api.core.rights import must_administer, must_develop, must_read
from shared.app_directory import AppDirectory
from shared.domain.app import App, is_public_id
from shared.domain.caller import Caller
from shared.domain.function import MAX_SLUG, is_slug, slugify
from shared.domain.problem import Problem
from shared.store import apps as stored
from shared.store.client import Store


class Apps:
    """What can be done with apps. Every method raises Problem(forbidden), and (unavailable) with the store away."""

    def __init__(self, store: Store, directory: AppDirectory) -> None:
        self._store = store
        self._directory = directory

    async def create(self, caller: Caller, *, name: str, slug: str) -> App:
        """Add an app; without a `slug` of its own it gets one from its name. Raises Problem(invalid)."""
        must_administer(caller)
        wanted = slug or slugify(name)
        if not wanted:
            message = "name has no letter a-z and no digit to make a slug of; add one, or send a slug of your own"
            raise Problem("invalid", message, {"name": message})
        return await self._of(caller).add(wanted, name=name)

    async def listed(self, caller: Caller, *, limit: int, skip: int) -> tuple[int, list[App]]:
        """How many there are, and a part of them."""
        must_read(caller)
        apps = self._of(caller)
        return await apps.count(), await apps.listed(limit=limit, skip=skip)

    async def shown(self, caller: Caller, slug: str) -> App:
        """One app. Raises Problem(not_found)."""
        must_read(caller)
        return await self._of(caller).named(slug)

    async def meant(self, caller: Caller, named: str) -> App | None:
        """The app of this public id or slug; None for a slug that no app has yet. Raises Problem(not_found)."""
        if is_public_id(named):
            found = await stored.find_public(self._store, named)
            if found is None or found.tenant != caller.tenant:  # another tenant's is as unknown as nobody's
                raise no_app(named)
            return found
        if not is_slug(named):
            raise no_app(named)
        return await self._of(caller).find(named)

    async def existing(self, caller: Caller, named: str) -> App:
        """The app of this public id or slug. Raises Problem(not_found)."""
        found = await self.meant(caller, named)
        if found is None:
            raise no_app(named)
        return found

    async def kept(self, caller: Caller, slug: str) -> App:
        """The app of this slug, made where there is none. Raises Problem(invalid)."""
        must_develop(caller)
        return await self._of(caller).keep(slug, name=slug.replace("-", " ").title())

    async def rename(self, caller: Caller, slug: str, name: str) -> App:
        """Another name. Raises Problem(not_found)."""
        must_administer(caller)
        renamed = await self._of(caller).rename(slug, name)
        await self._directory.announce(caller.tenant, slug)
        return renamed

    async def delete(self, caller: Caller, slug: str) -> None:
        """Remove an app that has no functions. Raises Problem(not_found, conflict)."""
        must_administer(caller)
        await self._of(caller).delete(slug)
        await self._directory.announce(caller.tenant, slug)

    async def announce(self, app: App) -> None:
        """Say that an app has changed."""
        await self._directory.announce(app.tenant, app.slug)

    def _of(self, caller: Caller) -> stored.Apps:
        return stored.Apps(self._store, caller.tenant)


def no_app(named: str) -> Problem:
    """There is no such app; a text too long to name one is not repeated whole."""
    shown = named if len(named) <= MAX_SLUG else f"{named[:MAX_SLUG]}…"
    return Problem("not_found", f"App '{shown}' not found")
