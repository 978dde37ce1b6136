"""What the router knows of functions: a cache that is never older than what a command has seen."""

import time

from shared.bus.messages import FunctionChanged
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.functions import Functions


class Directory:
    """Functions by tenant and slug, asked for again after `cache_s`; what is known serves on without the store."""

    def __init__(self, store: Store, *, cache_s: float) -> None:
        self._store = store
        self._cache_s = cache_s
        self._known: dict[tuple[str, str], tuple[Function, float]] = {}

    async def find(self, tenant: str, slug: str, *, revision: int) -> Function | None:
        """The function at `revision` or newer, or None when there is none. Raises Problem(unavailable)."""
        known, until = self._known.get((tenant, slug), (None, 0.0))
        if known is not None and known.revision >= revision and time.monotonic() < until:
            return known
        try:
            found = await Functions(self._store, tenant).by_slug(slug)
        except Problem:
            if known is not None and known.revision >= revision:
                return known
            raise
        if found is None:
            self._known.pop((tenant, slug), None)
        else:
            self._known[tenant, slug] = (found, time.monotonic() + self._cache_s)
        return found

    async def changed(self, notice: FunctionChanged) -> None:
        """Ask again at the next command."""
        self._expire((notice.tenant, notice.function))

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        for key in list(self._known):
            self._expire(key)

    def _expire(self, key: tuple[str, str]) -> None:
        if key in self._known:
            self._known[key] = (self._known[key][0], 0.0)
