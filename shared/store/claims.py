"""Claims of functions, in the store: whoever claims a key first has it until it runs out."""

from datetime import UTC, datetime, timedelta

from shared.domain.problem import Problem, wrong
from shared.store.client import Document, Store

COLLECTION = "claims"
MAX_KEY, MAX_SCOPE = 255, 100
"""Characters."""
LEAST_S, MOST_S = 1.0, 30 * 86_400.0
DAY_S = 86_400.0
_AT_ONCE = 5000


class Claims:
    """One function's claims. They outlive its calls, its versions and its executor."""

    def __init__(self, store: Store, tenant: str, function_id: int) -> None:
        self._table = store.table(COLLECTION, tenant)
        self._function_id = function_id

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        """Whether nobody has this key of this scope: then it is claimed for `ttl_s`. One that ran out is nobody's.

        Raises Problem(invalid, unavailable).
        """
        _check(key, scope, ttl_s)
        now = datetime.now(UTC)
        wanted: Document = {"function_id": self._function_id, "scope": scope, "key": key}
        change: Document = {"$set": {"expires_at": now + timedelta(seconds=ttl_s)}}
        try:
            # Where one stands that has not run out, nothing matches, and what would be inserted is there already.
            await self._table.update({**wanted, "expires_at": {"$lte": now}}, change, upsert=True)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            return False
        return True

    async def count(self, *, most: int) -> int:
        """How many there are, those not yet removed that ran out among them; no more than `most` are counted."""
        return await self._table.count({"function_id": self._function_id}, most=most)

    async def delete_all(self) -> None:
        """Remove them, however many."""
        while await self._table.delete_some({"function_id": self._function_id}, most=_AT_ONCE):
            pass


def _check(key: str, scope: str, ttl_s: float) -> None:
    _check_text("key", key, most=MAX_KEY)
    _check_text("scope", scope, most=MAX_SCOPE)
    if not LEAST_S <= ttl_s <= MOST_S:  # nor is what is no number
        raise wrong("ttl", f"The time of a claim must be from {LEAST_S:g} to {MOST_S:.0f} seconds")


def _check_text(field: str, text: str, *, most: int) -> None:
    """What cannot be written as UTF-8, half a surrogate pair, cannot be kept."""
    if not 0 < len(text) <= most or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise wrong(field, f"The {field} of a claim must be a text of 1 to {most} characters")
