"""A tenant's users, in the store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.caller import Role
from shared.domain.problem import Problem
from shared.domain.tenant import DEFAULT
from shared.domain.user import (
    OPERATOR,
    OPERATOR_ID,
    Account,
    check_email,
    check_username,
    username_of,
)
from shared.store.client import Document, Store

_BSON = (datetime,)
_NEWEST_FIRST = [("id", -1)]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A user to be."""

    username: str
    email: str = ""
    full_name: str = ""
    role: Role = "user"
    password_hash: str = ""


class Users:
    """One tenant's users."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._table = store.table("users", tenant)

    async def add(self, draft: Draft) -> Account:
        """A new user. Raises Problem(invalid) for a name or an address that cannot be, or is taken."""
        draft = msgspec.structs.replace(draft, username=username_of(draft.username), email=draft.email.strip().lower())
        check_username(draft.username, tenant=self._tenant)
        check_email(draft.email)
        await self._check_free(draft.email, id=0)
        account = Account(
            id=OPERATOR_ID + await self._store.next_id("users"),
            tenant=self._tenant,
            created_at=_now(),
            **msgspec.structs.asdict(draft),
        )
        await self._insert(account)
        return account

    async def keep_operator(self) -> None:
        """See that there is the user for whom the operator's own token speaks."""
        if self._tenant == DEFAULT and await self.by_id(OPERATOR_ID) is None:
            operator = Account(
                id=OPERATOR_ID,
                tenant=self._tenant,
                username=OPERATOR,
                email=f"{OPERATOR}@localhost",
                role="admin",
                created_at=_now(),
            )
            try:
                await self._table.insert(msgspec.to_builtins(operator, builtin_types=_BSON))
            except Problem as problem:  # another replica made it a moment ago
                if problem.code != "conflict":
                    raise

    async def by_id(self, id: int) -> Account | None:
        """The user, or None."""
        return _read(await self._table.one({"id": id}))

    async def by_name(self, username: str) -> Account | None:
        """The user of that name, or None."""
        return _read(await self._table.one({"username": username_of(username)}))

    async def by_email(self, email: str) -> Account | None:
        """The user with that address, or None."""
        address = email.strip().lower()
        return _read(await self._table.one({"email": address})) if address else None

    async def listed(self, *, limit: int, skip: int = 0) -> list[Account]:
        """At most `limit` users, the newest first."""
        found = await self._table.many({}, order=_NEWEST_FIRST, limit=limit, skip=skip)
        return [msgspec.convert(document, Account) for document in found]

    async def count(self) -> int:
        """How many there are."""
        return await self._table.count({})

    async def by_ids(self, ids: Sequence[int]) -> dict[int, Account]:
        """The users with these ids, by id."""
        wanted = sorted(set(ids))
        found = await self._table.many({"id": {"$in": wanted}}, limit=max(len(wanted), 1))
        return {document["id"]: msgspec.convert(document, Account) for document in found}

    async def change(self, id: int, values: dict[str, Any], *, ends_logins: bool = False) -> Account:
        """Set fields; with `ends_logins`, every login made before is over. Raises Problem(not_found, invalid)."""
        if "email" in values:
            values = {**values, "email": values["email"].strip().lower()}
            check_email(values["email"])
            await self._check_free(values["email"], id=id)
        change: Document = {"$set": values} if values else {}
        if ends_logins:
            change["$inc"] = {"session": 1}
        changed = _read(await self._table.update({"id": id}, change) if change else await self._table.one({"id": id}))
        if changed is None:
            raise Problem("not_found", f"User with id {id} not found")
        return changed

    async def rehash(self, account: Account, password_hash: str) -> None:
        """Keep the same password in another form, unless it was changed meanwhile."""
        query = {"id": account.id, "password_hash": account.password_hash}
        await self._table.update(query, {"$set": {"password_hash": password_hash}})

    async def _insert(self, account: Account) -> None:
        try:
            await self._table.insert(msgspec.to_builtins(account, builtin_types=_BSON))
        except Problem as problem:
            if problem.code != "conflict":
                raise
            message = f"A user named '{account.username}' exists already"
            raise Problem("invalid", message, {"username": message}) from None

    async def _check_free(self, email: str, *, id: int) -> None:
        """An address names one user: it may be used to log in."""
        other = await self.by_email(email)
        if other is not None and other.id != id:
            message = f"A user with the address {email} exists already"
            raise Problem("invalid", message, {"email": message})


def _read(document: Document | None) -> Account | None:
    return None if document is None else msgspec.convert(document, Account)


def _now() -> datetime:
    return datetime.now(UTC)
