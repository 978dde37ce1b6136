"""Compiled code by hash: cached within a bound, loaded from the store, made from the source where it is not there."""

import asyncio
from collections import OrderedDict

from services.executor.mode import Artefact, Mode, Refusal
from shared.domain.version import NOT_STORED, CompileError
from shared.store.client import Store
from shared.store.versions import Versions


class Artefacts:
    """One mode's artefacts. What has a hash never changes, so nothing here is ever stale."""

    def __init__(self, store: Store, mode: Mode, *, cache_bytes: int) -> None:
        self._store = store
        self._mode = mode
        self._cache_bytes = cache_bytes
        self._held_bytes = 0
        self._cache: OrderedDict[tuple[str, str], Artefact] = OrderedDict()
        self._making: dict[tuple[str, str], asyncio.Task[Artefact | Refusal]] = {}

    async def load(self, tenant: str, code_hash: str) -> Artefact | Refusal:
        """The artefact of a stored source, made once for all who ask meanwhile. A refusal is not remembered.

        Raises Problem(unavailable) when the store is away.
        """
        key = (tenant, code_hash)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key))
            making.add_done_callback(lambda made: self._made(key, made))
        return await asyncio.shield(making)  # whoever gives up does not take it from the others

    async def _make(self, key: tuple[str, str]) -> Artefact | Refusal:
        made = await self._from_store(*key)
        if isinstance(made, Artefact):
            self._keep(key, made)
        return made

    def _made(self, key: tuple[str, str], made: "asyncio.Task[Artefact | Refusal]") -> None:
        del self._making[key]
        if not made.cancelled():
            made.exception()  # looked at, should nobody wait any more

    async def _from_store(self, tenant: str, code_hash: str) -> Artefact | Refusal:
        versions = Versions(self._store, tenant)
        stored = await versions.source(code_hash)
        if stored is None:
            return Refusal([CompileError(0, NOT_STORED)])
        if stored.compiler == self._mode.compiler:
            return Artefact(stored.compiler, stored.artefact)
        made = await self._mode.prepare(stored.source)
        if isinstance(made, Artefact):
            await versions.keep_artefact(code_hash, compiler=made.compiler, artefact=made.data)
        return made

    def _keep(self, key: tuple[str, str], artefact: Artefact) -> None:
        replaced = self._cache.pop(key, None)
        self._cache[key] = artefact
        self._held_bytes += len(artefact.data) - (len(replaced.data) if replaced else 0)
        while self._held_bytes > self._cache_bytes and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._held_bytes -= len(dropped.data)
