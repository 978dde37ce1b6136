"""How much of a lane may run at once, everywhere together: what its function and its tenant say."""

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.lanes import LaneKey, Lanes
from shared.bus.notices import FunctionChanged, IdentityChanged
from shared.directory import Tenants
from shared.domain.concurrency import bound_of, concurrency_of
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.remembered import Remembered
from shared.store.client import Store
from shared.store.functions import Functions


class Ceilings:
    """Asks the store, and believes it for `cache_s`; a lane's bound is brought up to date when it changes."""

    def __init__(self, store: Store, *, cache_s: float) -> None:
        self._store = store
        self._tenants = Tenants(store, cache_s=cache_s)
        self._functions: Remembered[tuple[str, int], Function] = Remembered(self._ask, believed_s=cache_s)

    async def listen(self, bus: Bus, lanes: Lanes) -> None:
        """Hear of changes."""

        async def function_changed(notice: FunctionChanged) -> None:
            self._functions.drop_all(lambda key, _: key[0] == notice.tenant)
            await lanes.changed(notice.tenant, functions=True)

        async def tenant_changed(notice: IdentityChanged) -> None:
            await self._tenants.changed(notice)
            if not (notice.user_id or notice.token or notice.login):
                await lanes.changed(notice.tenant)

        await bus.listen(subjects.changed("*", "*"), function_changed, body=FunctionChanged)
        await bus.listen(subjects.identity("*"), tenant_changed, body=IdentityChanged)
        bus.on_return(self._tenants.doubt)
        bus.on_return(self._functions.doubt)

    async def bound(self, lane: LaneKey) -> int | None:
        """Calls side by side; None where the store is away and nothing is remembered."""
        if lane.name == subjects.CALLED:
            return streams.UNBOUNDED
        try:
            tenant = await self._tenants.find(lane.tenant)
            if lane.name == subjects.ALL:
                return concurrency_of(tenant.limits) or streams.UNBOUNDED
            function = await self._functions.find((lane.tenant, int(lane.name)))
        except Problem:
            return None
        config = function.config if function is not None else {}
        return bound_of(config, tenant=tenant.limits) or streams.UNBOUNDED

    async def _ask(self, key: tuple[str, int]) -> Function | None:
        tenant, id = key
        return await Functions(self._store, tenant).by_id(id)
