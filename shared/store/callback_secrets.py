"""What a tenant's callbacks are signed with, sealed, in the store: one document a tenant."""

from shared.domain.problem import Problem
from shared.store.client import Store, Table

COLLECTION = "callback_secrets"


class CallbackSecrets:
    """One tenant's."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table(COLLECTION, tenant)

    async def sealed(self) -> str:
        """As they are stored; empty where there are none yet."""
        found = await self._table.one({}, fields=["sealed"])
        return "" if found is None else str(found["sealed"])

    async def replace(self, before: str, sealed: str) -> bool:
        """Set them to this, where they are still what they were `before`, empty for none; else False."""
        if before:
            return await self._table.update({"sealed": before}, {"$set": {"sealed": sealed}}) is not None
        try:
            await self._table.insert({"id": 0, "sealed": sealed})
        except Problem as problem:
            if problem.code != "conflict":
                raise
            return False
        return True
