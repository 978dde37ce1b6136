"""Which function is meant by an app and a name, also one that is deleted."""

from services.api.core.apps import Apps
from services.api.core.environments import no_function
from services.api.core.rights import must_read
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.store.client import Store
from shared.store.functions import Functions


class Called:
    """Functions by name, for who may read. Raises Problem(unavailable) when the store is away."""

    def __init__(self, store: Store, apps: Apps) -> None:
        self._store = store
        self._apps = apps

    async def function(self, caller: Caller, named: str, name: str, *, deleted: bool = False) -> Function:
        """The function; one that is deleted only where those are wanted. Raises Problem(not_found)."""
        must_read(caller)
        app = await self._apps.existing(caller, named)
        functions = Functions(self._store, caller.tenant)
        found = await functions.called(app.id, name)
        if found is None and deleted:
            found = await functions.deployed(app.id, name)
        if found is None:
            raise no_function(name)
        return found
