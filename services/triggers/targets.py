"""Which functions a kind of trigger may set off, at hand without a look into the store."""

from collections import Counter
from collections.abc import Sequence

from shared.bus.messages import FunctionChanged
from shared.domain.function import Function
from shared.domain.trigger import TriggerKind
from shared.remembered import Remembered
from shared.store.client import Store
from shared.store.functions import Functions

Found = tuple[Function, ...]


class Targets:
    """Active functions by tenant and trigger, believed for `believed_s` or until one of the tenant's changes."""

    def __init__(self, store: Store, *, believed_s: float, most: int) -> None:
        self._store = store
        self._most = most
        self._changes: Counter[str] = Counter()
        self._found: Remembered[tuple[str, int, TriggerKind], Found] = Remembered(self._ask, believed_s=believed_s)

    async def of(self, tenant: str, kind: TriggerKind) -> Sequence[Function]:
        """The tenant's active functions that have an enabled trigger of this kind, by id. Raises unavailable."""
        return await self._found.find((tenant, self._changes[tenant], kind)) or ()

    async def changed(self, notice: FunctionChanged) -> None:
        """Ask again at the next event."""
        self._changes[notice.tenant] += 1

    def doubt(self) -> None:
        """Notices may have been missed: ask again for everything."""
        self._found.doubt()

    async def _ask(self, key: tuple[str, int, TriggerKind]) -> Found | None:
        tenant, _, kind = key
        return tuple(await Functions(self._store, tenant).triggered_by(kind, limit=self._most))
