"""A tenant's logins, in the store: which refresh token is the next one of each."""

from datetime import UTC, datetime, timedelta

import msgspec

from shared.domain.token import Login
from shared.domain.user import Account
from shared.store.client import Document, Store

MAX_LOGINS = 100
"""The most logins that one user may have at once; with one more, the oldest is over."""
_AT_ONCE = 1000
_BSON = (datetime,)


class Logins:
    """One tenant's logins."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table = store.table("logins", tenant)
        self._tenant = tenant

    async def begin(self, account: Account, id: str, *, lasts_s: float) -> Login:
        """A new login; where the user has very many, the oldest are over."""
        now = datetime.now(UTC)
        login = Login(
            id=id,
            tenant=self._tenant,
            user_id=account.id,
            session=account.session,
            expires_at=now + timedelta(seconds=lasts_s),
            created_at=now,
        )
        await self._table.insert(msgspec.to_builtins(login, builtin_types=_BSON))
        order = [("created_at", -1)]
        over = await self._table.many({"user_id": account.id}, order=order, skip=MAX_LOGINS, limit=_AT_ONCE)
        if over:
            await self._table.delete({"id": {"$in": [document["id"] for document in over]}})
        return login

    async def by_id(self, id: str) -> Login | None:
        """The login, or None."""
        return _read(await self._table.one({"id": id}))

    async def turn(self, id: str, turn: int, *, lasts_s: float) -> Login | None:
        """The login after its next turn; None when this turn was taken before, or the login is over."""
        now = datetime.now(UTC)
        query = {"id": id, "turn": turn, "revoked_at": None, "expires_at": {"$gt": now}}
        change = {"$inc": {"turn": 1}, "$set": {"expires_at": now + timedelta(seconds=lasts_s)}}
        return _read(await self._table.update(query, change))

    async def revoke(self, id: str) -> bool:
        """End the login, with every token of its family. Whether it was on."""
        now = datetime.now(UTC)
        return await self._table.update({"id": id, "revoked_at": None}, {"$set": {"revoked_at": now}}) is not None


def _read(document: Document | None) -> Login | None:
    return None if document is None else msgspec.convert(document, Login)
