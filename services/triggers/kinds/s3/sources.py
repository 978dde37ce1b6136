"""The event sources of all tenants, at hand: read anew when one is said to have changed, and now and then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import msgspec

from services.triggers.kind import World
from services.triggers.kinds.s3.adapter import SourceFault
from shared import telemetry
from shared.bus import subjects
from shared.bus.notices import IdentityChanged, SourceChanged
from shared.domain.event_source import CONFIGS, EventSource, SourceConfig, is_source_id, source_place
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError
from shared.store import event_sources as stored
from shared.store import tenants
from shared.store.event_sources import Key

_AGAIN_S = 1.0  # after the store could not be asked
_log = telemetry.logger("sources")


class Opened(NamedTuple):
    """A source with its typed config and its secrets in plain text: never for a log."""

    source: EventSource
    config: SourceConfig
    secrets: Mapping[str, str]


class Sources:
    """Enabled sources of active tenants. What is at hand is used on while the store is away."""

    def __init__(self, world: World) -> None:
        self._store = world.service.store
        self._bus = world.service.bus
        self._keyring: Keyring = world.service.keyring
        self._believed_s = max(world.service.platform.cache_s, _AGAIN_S)
        self._sources: dict[Key, EventSource] = {}
        self._keys: dict[str, Key] = {}  # by public id
        self._opened: dict[Key, Opened] = {}
        self._doubted: set[Key] = set()
        self._doubt_all = True
        self._news = asyncio.Event()
        self._told: list[Callable[[], None]] = []

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` run whenever other sources may be at hand than before."""
        self._told.append(call)

    def enabled(self) -> Collection[EventSource]:
        """All of them."""
        return self._sources.values()

    def known(self, key: Key) -> EventSource | None:
        """The source as it is now, None where it is gone or not enabled."""
        return self._sources.get(key)

    def opened(self, source: EventSource) -> Opened:
        """The source with its config and its secrets. Raises SourceFault where they cannot be read."""
        key = (source.tenant, source.id)
        found = self._opened.get(key)
        if found is None or found.source.revision != source.revision:
            found = Opened(source, _config(source), self._secrets(source))
            if self._sources.get(key) is source:
                self._opened[key] = found
        return found

    async def by_public_id(self, public_id: str) -> Opened | None:
        """The enabled source that events are posted to under this id. Raises Problem(unavailable)."""
        key = self._keys.get(public_id)
        source = self._sources.get(key) if key else await self._just_made(public_id)
        if source is None:
            return None
        try:
            return self.opened(source)
        except SourceFault as fault:
            raise Problem("unavailable", str(fault)) from None

    @asynccontextmanager
    async def at_hand(self) -> AsyncIterator[None]:
        """Read them, and again whenever there is a reason to, for as long as the block runs."""
        await self._bus.listen(subjects.SOURCES, self._changed, body=SourceChanged)
        await self._bus.listen(subjects.identity("*"), self._tenant_changed, body=IdentityChanged)
        self._bus.on_return(self.doubt)
        following = self._bus.mind(self._follow())
        try:
            yield
        finally:
            self._bus.forget(self.doubt)
            following.cancel()

    def doubt(self) -> None:
        """Notices may have been missed: read them all."""
        self._doubt_all = True
        self._news.set()

    async def _changed(self, notice: SourceChanged) -> None:
        self._doubted.add((notice.tenant, notice.source_id))
        self._news.set()

    async def _tenant_changed(self, notice: IdentityChanged) -> None:
        if not (notice.user_id or notice.token or notice.login):
            self.doubt()

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except Problem as problem:
                _log.warning("sources cannot be read", reason=problem.message)
                await asyncio.sleep(_AGAIN_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._believed_s):
                    await self._news.wait()
                    continue
            self._doubt_all = True

    async def _read(self) -> None:
        """Whatever is in doubt; it stays in doubt where the store cannot be asked."""
        self._news.clear()
        everything, self._doubt_all = self._doubt_all, False
        doubted, self._doubted = self._doubted, set()
        try:
            found = await self._found(None if everything else doubted)
        except BaseException:
            self._doubt_all |= everything
            self._doubted |= doubted
            raise
        for key in set(self._sources) if everything else doubted:
            if key not in found:
                self._drop(key)
        for key, source in found.items():
            self._sources[key] = source
            self._keys[source.public_id] = key
        for call in self._told:
            call()

    async def _found(self, doubted: Collection[Key] | None) -> dict[Key, EventSource]:
        """Which of these, or of all, are enabled, and their tenants active."""
        if doubted is None:
            found = {(one.tenant, one.id): one async for one in stored.all_enabled(self._store)}
        else:
            found = {key: one for key in doubted if (one := await stored.find(self._store, key)) and one.enabled}
        inactive = await tenants.inactive(self._store, {tenant for tenant, _ in found})
        return {key: source for key, source in found.items() if source.tenant not in inactive}

    async def _just_made(self, public_id: str) -> EventSource | None:
        """A source that nobody has told of yet."""
        if not is_source_id(public_id):  # whoever guesses costs the store nothing
            return None
        source = await stored.find_public(self._store, public_id)
        if source is None or not source.enabled or await tenants.inactive(self._store, [source.tenant]):
            return None
        await self._changed(SourceChanged(tenant=source.tenant, source_id=source.id, revision=source.revision))
        return source

    def _drop(self, key: Key) -> None:
        self._opened.pop(key, None)
        source = self._sources.pop(key, None)
        if source is not None:
            self._keys.pop(source.public_id, None)

    def _secrets(self, source: EventSource) -> dict[str, str]:
        try:
            return {
                name: self._keyring.unseal(text, place=source_place(source.tenant, source.id, name)).decode()
                for name, text in source.secrets.items()
            }
        except SealBrokenError as error:
            raise SourceFault(f"Its secrets cannot be opened: {error}") from None


def _config(source: EventSource) -> SourceConfig:
    try:
        config: SourceConfig = msgspec.convert(source.config, CONFIGS[source.kind])
    except msgspec.ValidationError as error:
        raise SourceFault(f"Its config cannot be read: {error}") from None
    return config
