"""The sources of plugins as they are shown: many of them together are bounded, and so is how often at once."""

from collections.abc import Sequence

from services.api.core.rooms import Room
from shared.domain.caller import Caller
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.versions import Versions

MOST_BYTES = 16 << 20
"""Of the sources of one answer: four times what a sync may bring. On their way they are there about six times."""
_AT_ONCE, _OF_ONE = 8, 2  # answers of many sources that are made in this process, and of these for one tenant


class Contents:
    """What reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._room = Room("lists with sources are being made", at_once=_AT_ONCE, of_one=_OF_ONE)

    async def one(self, caller: Caller, digest: str) -> str:
        """The source of this hash; empty where it is gone."""
        found = await Versions(self._store, caller.tenant).source(digest)
        return "" if found is None else found.source

    async def many(self, caller: Caller, hashes: Sequence[str]) -> dict[str, str]:
        """Sources by hash, without those that are gone; each counts as often as it is named.

        Raises Problem(too_large, rate_limited, unavailable).
        """
        with self._room.taken(caller.tenant):
            found = await Versions(self._store, caller.tenant).texts(hashes, most_bytes=MOST_BYTES)
        if found is None:
            message = f"The sources are longer than {MOST_BYTES >> 20} MiB together: ask for fewer at a time"
            raise Problem("too_large", message)
        return found
