"""Functions removed for good, with all that belongs to them."""

from services.api.core.directory import Directory
from services.api.core.history import History
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.plugin import PLUGINS_APP
from shared.store import deletions, milestones
from shared.store.attempts import Attempts
from shared.store.claims import Claims
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import Invocations
from shared.store.ticks import Ticks
from shared.store.user_valves import UserValves
from shared.store.versions import Versions

_MOST_RETIRED = 100  # at a time: there are some only where a process was killed


class Removal:
    """What removes functions. `forgotten_s` is for how long what is under way of one may still come."""

    def __init__(self, store: Store, directory: Directory, *, history: History, forgotten_s: float) -> None:
        self._store = store
        self._directory = directory
        self._history = history
        self._forgotten_s = forgotten_s

    async def remove_retired(self, caller: Caller) -> None:
        """Make an end of removals of plugins that were cut short: nobody sees these, so nobody can name them."""
        for function in await Functions(self._store, caller.tenant).retired(PLUGINS_APP, limit=_MOST_RETIRED):
            await self.remove(caller, function)

    async def remove(self, caller: Caller, function: Function) -> bool:
        """Remove it; False where it was gone already.

        The function goes last: a removal that is cut short can be asked for again, and goes on where it was. One of a
        plugin is over for everybody with the first write.
        """
        owned, tenant = Functions(self._store, caller.tenant), caller.tenant
        retired = await owned.retire(function)
        if retired is None:
            return False
        await self._directory.announce(retired)  # from here on nobody runs it
        gone = deletions.Gone(tenant, function.id)
        await deletions.note(self._store, gone, kept_s=self._forgotten_s)  # what is under way is not to be recorded
        await Invocations(self._store, tenant).delete_of(function.id)
        await milestones.forget(self._store, tenant)
        versions, user_valves = Versions(self._store, tenant), UserValves(self._store, tenant)
        await versions.delete_of(function.id)
        await Ticks(self._store, tenant).delete_of(function.id)
        await Claims(self._store, tenant, function.id).delete_all()
        await Attempts(self._store, tenant).delete_of(function.id)
        await user_valves.delete_of(function.id)
        await self._history.close(caller, function)
        await owned.delete(function)
        await self._directory.announce(function, deleted=True)
        await versions.delete_of(function.id)  # what was uploaded meanwhile
        await user_valves.delete_of(function.id)  # and what was set
        return True
