"""Which functions a kind of trigger may set off, at hand without a look into the store."""

import time
from collections.abc import Sequence
from typing import TypeVar, get_args

from shared import telemetry
from shared.bus.notices import FunctionChanged
from shared.domain.function import Function
from shared.domain.trigger import TriggerKind
from shared.remembered import Remembered
from shared.store.client import Store
from shared.store.functions import Functions

Target = TypeVar("Target")
Found = tuple[Function, ...]

_MOST = 10_000  # functions of one tenant with triggers of one kind: those with the lowest ids
_MOST_SAID = 10_000  # tenants of whom it is known when that was said
_SAY_AGAIN_S = 60.0
_log = telemetry.logger("targets")


class Targets:
    """Active functions by tenant and trigger, believed for `believed_s` or until one of the tenant's changes."""

    def __init__(self, store: Store, *, believed_s: float, matches: int) -> None:
        self._store = store
        self._matches = matches
        self._said: dict[str, float] = {}
        self._found: Remembered[tuple[str, TriggerKind], Found] = Remembered(self._ask, believed_s=believed_s)

    async def of(self, tenant: str, kind: TriggerKind) -> Sequence[Function]:
        """The tenant's active functions that have an enabled trigger of this kind, by id. Raises unavailable."""
        return await self._found.find((tenant, kind)) or ()

    def bounded(self, meant: Sequence[Target], *, tenant: str, kind: TriggerKind) -> Sequence[Target]:
        """Of those that one event is to set off, as many as may be, the first ones; what is left out is said."""
        if len(meant) <= self._matches:
            return meant
        telemetry.LEFT_OUT.labels(kind).inc(len(meant) - self._matches)
        now = time.monotonic()
        if now >= self._said.get(tenant, 0.0):
            if len(self._said) >= _MOST_SAID:
                self._said.clear()
            self._said[tenant] = now + _SAY_AGAIN_S
            _log.warning("an event would set off too many functions", tenant=tenant, kind=kind, meant=len(meant))
        return meant[: self._matches]

    async def changed(self, notice: FunctionChanged) -> None:
        """Ask again at the next event."""
        for kind in get_args(TriggerKind):
            self._found.drop((notice.tenant, kind))

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._found.doubt()

    async def _ask(self, key: tuple[str, TriggerKind]) -> Found | None:
        tenant, kind = key
        return tuple(await Functions(self._store, tenant).triggered_by(kind, limit=_MOST))
