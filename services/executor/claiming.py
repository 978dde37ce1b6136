"""What functions claim: within bounds, so that one of them does not fill the store."""

from shared.domain.problem import Problem
from shared.remembered import Remembered
from shared.store.claims import Claims
from shared.store.client import Store

_COUNTED_S = 10.0  # how long a count is believed


class Claiming:
    """Claims of all functions. One function may have `most`, which is counted now and then."""

    def __init__(self, store: Store, *, most: int) -> None:
        self._store = store
        self._most = most
        self._counts: Remembered[tuple[str, int], int] = Remembered(self._count, believed_s=_COUNTED_S)

    async def claim(self, tenant: str, function_id: int, key: str, *, scope: str, ttl_s: float) -> bool:
        """The first claim. Raises Problem(invalid, rate_limited, unavailable)."""
        if (await self._counts.find((tenant, function_id)) or 0) >= self._most:
            message = f"The function has {self._most} claims already; those that run out make room for others"
            raise Problem("rate_limited", message)
        return await Claims(self._store, tenant, function_id).claim(key, scope=scope, ttl_s=ttl_s)

    async def _count(self, key: tuple[str, int]) -> int:
        return await Claims(self._store, *key).count(most=self._most)
