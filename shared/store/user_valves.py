"""The valves that users have set for themselves, in the store."""

from datetime import UTC, datetime

from shared.store.client import Store, Table

COLLECTION = "user_valves"


class UserValves:
    """Those of one tenant's users."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._table: Table = store.table(COLLECTION, tenant)

    async def of(self, function_id: int, user_id: int) -> str:
        """What a user has set for a plugin, as it is kept; empty for nothing."""
        found = await self._table.one({"function_id": function_id, "user_id": user_id}, fields=["valves"])
        return "" if found is None else str(found["valves"])

    async def keep(self, function_id: int, user_id: int, valves: str) -> None:
        """Let this be all that a user has set for a plugin."""
        id = await self._store.next_id(COLLECTION)
        change = {"$set": {"valves": valves, "updated_at": datetime.now(UTC)}, "$setOnInsert": {"id": id}}
        await self._table.update({"function_id": function_id, "user_id": user_id}, change, upsert=True)

    async def delete_of(self, function_id: int) -> None:
        """Remove what anybody has set for a plugin."""
        await self._table.delete({"function_id": function_id})
