"""Plugins as they come all at once, and their look before anything is written: code, meta and valves of each."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from services.api.core import plugin_values
from services.api.core.examining import POOL, Examining
from services.api.core.plugin_values import Draft
from services.api.core.sources import Sources
from services.api.core.valves import dumped
from shared.bus.notices import Examined
from shared.domain.caller import Caller
from shared.domain.function import check_freeform
from shared.domain.plugin import MAX_KEY
from shared.domain.problem import Problem

_AT_ONCE = 4  # codes that are looked into side by side: each takes a worker of an executor
_LAST_S = 253_402_300_799  # the last second of the year 9999
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f/]")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin as it is to be, whether there is one of this key or not. Times in seconds since 1970.

    `valves` are all that is set; None for nothing. Without `created_at` it is what it was, or now.
    """

    key: str
    name: str
    content: str
    meta: dict[str, Any] = {}
    valves: dict[str, Any] | None = None
    is_active: bool = False
    is_global: bool = False
    created_at: int | None = None


class Checked(NamedTuple):
    """An entry that can be written: its draft, its code as `digest`, and JSON text of its valves; None for none."""

    entry: Entry
    draft: Draft
    digest: str
    examined: Examined
    valves: bytes | None

    @property
    def created_at(self) -> datetime | None:
        """When it was made, if the entry says so."""
        at = self.entry.created_at
        return None if at is None else datetime.fromtimestamp(at, UTC)


class Entries:
    """What looks at entries. `most` at once."""

    def __init__(self, sources: Sources, examining: Examining, *, most: int) -> None:
        self._sources = sources
        self._examining = examining
        self._most = most

    @asynccontextmanager
    async def checked(self, caller: Caller, entries: Sequence[Entry]) -> AsyncIterator[list[Checked]]:
        """All of them, for a block that lets versions name their sources; else these are not kept.

        Raises Problem(invalid) naming the first that is found wrong, and Problem(unavailable).
        """
        _check_keys(entries, most=self._most)
        async with AsyncExitStack() as sources:
            yield await self._all(caller.tenant, entries, sources)

    async def _all(self, tenant: str, entries: Sequence[Entry], sources: AsyncExitStack) -> list[Checked]:
        """Some side by side. After the first that is wrong no other one is begun, but each that was is ended."""
        room, wrong = asyncio.Semaphore(_AT_ONCE), asyncio.Event()

        async def look(entry: Entry) -> Checked | Problem | None:
            async with room:
                if wrong.is_set():
                    return None
                try:
                    return await self._checked(tenant, entry, sources)
                except Problem as problem:
                    wrong.set()
                    return problem if problem.code == "unavailable" else wrong_entry(entry.key, problem.message)

        looks = await asyncio.gather(*map(look, entries))
        if problem := next((found for found in looks if isinstance(found, Problem)), None):
            raise problem
        return [found for found in looks if isinstance(found, Checked)]

    async def _checked(self, tenant: str, entry: Entry, sources: AsyncExitStack) -> Checked:
        draft = Draft(key=entry.key, name=entry.name, content=entry.content, meta=entry.meta)
        draft = plugin_values.checked(draft)
        if entry.created_at is not None and not 0 <= entry.created_at <= _LAST_S:
            raise Problem("invalid", "created_at must be seconds since 1970")
        if entry.valves is not None:
            check_freeform("valves", entry.valves)
        digest = await sources.enter_async_context(self._sources.compiled(tenant, POOL, draft.content))
        examined, values = await self._sources.held(
            tenant, draft.content, lambda: self._examined(tenant, entry, digest)
        )
        plugin_values.plugin_of(draft, examined, user_id=0)  # whether its meta can be kept
        return Checked(entry, draft, digest, examined, values)

    async def _examined(self, tenant: str, entry: Entry, digest: str) -> tuple[Examined, bytes | None]:
        """What the code is, and what is to be kept of the valves: as they are where it has none."""
        examined = await self._examining.code(tenant, digest)
        if entry.valves is None:
            return examined, None
        values = msgspec.json.encode(entry.valves)
        if examined.has_valves:
            values = await self._examining.fitted(tenant, digest, values)
            dumped(values)
        return examined, values


def wrong_entry(key: str, message: str) -> Problem:
    """An entry cannot be taken; all of them are left."""
    message = f"Function '{key[:MAX_KEY]}': {message}"
    return Problem("invalid", message, {"functions": message})


def _check_keys(entries: Sequence[Entry], *, most: int) -> None:
    if len(entries) > most:
        message = f"There are {len(entries)} functions, and there may be {most}"
        raise Problem("invalid", message, {"functions": message})
    seen = set()
    for key in (entry.key for entry in entries):
        if not 0 < len(key) <= MAX_KEY:
            raise wrong_entry(key, f"id must be 1 to {MAX_KEY} characters")
        if _UNFIT.search(key) or key in (".", ".."):  # it stands in paths, here and where it is called by name
            raise wrong_entry(key, "id must have no / and no control characters, and be more than one or two dots")
        if key in seen:
            raise wrong_entry(key, "id is there twice")
        seen.add(key)
