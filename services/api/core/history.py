"""The history of functions: written with every change of one, and read, also for a while after its end."""

from services.api.core.rights import must_read
from shared.domain.caller import Caller
from shared.domain.function import Function, is_slug
from shared.store import functions
from shared.store import history as stored
from shared.store.client import Store

Entry = stored.Entry
"""What a function was after a change; named here for the dialects, which may not speak to the store."""


class History:
    """What became of functions. Every method raises Problem(unavailable) when the store is away."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, caller: Caller, function: Function, kind: stored.Kind) -> None:
        """What the function is, now that the caller has changed it."""
        await self._of(caller).add(function, kind, user=caller.user.username)

    async def close(self, caller: Caller, function: Function) -> None:
        """The caller deletes the function."""
        await self._of(caller).close(function, user=caller.user.username)

    async def listed(
        self, caller: Caller, slug: str, *, app: str | None = None, limit: int, skip: int
    ) -> list[Entry] | None:
        """A part of the history of the function with this slug, the newest first; None where there never was one.

        Where it is deleted, of the last one that had the slug.
        """
        must_read(caller)
        owner = await functions.Functions(self._store, caller.tenant).by_slug(slug) if is_slug(slug) else None
        if owner is not None:
            found = None if app not in (None, owner.app_slug) else owner.id
        else:
            found = await self._of(caller).last_owner(slug, app_slug=app) if is_slug(slug) else None
        return None if found is None else await self._of(caller).listed(found, limit=limit, skip=skip)

    def _of(self, caller: Caller) -> stored.History:
        return stored.History(self._store, caller.tenant)
