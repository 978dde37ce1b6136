"""Users of a tenant: kept by its administrators, and each by himself."""

from typing import Any

import msgspec

from services.api.core.hashing import Hashing
from services.api.core.rights import must_administer, must_keep_account
from shared.bus.notices import IdentityChanged
from shared.callers.identity import Identity
from shared.domain.caller import Caller, Role
from shared.domain.problem import Problem
from shared.domain.user import OPERATOR_ID, Account, check_password
from shared.store import users as stored
from shared.store.client import MAX_ID, Store


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A user to be. Without a password nobody can log in as this user; tokens work."""

    username: str
    email: str = ""
    full_name: str = ""
    role: Role = "user"
    password: str = ""


class Users:
    """What can be done with users. Every method raises Problem(unavailable) when the store is away."""

    def __init__(self, store: Store, identity: Identity, hashing: Hashing) -> None:
        self._store = store
        self._identity = identity
        self._hashing = hashing

    async def create(self, caller: Caller, draft: Draft) -> Account:
        """Add a user. Raises Problem(forbidden, invalid)."""
        must_administer(caller)
        kept = await self._kept(draft.password) if draft.password else ""
        values = msgspec.structs.asdict(draft)
        del values["password"]
        return await self._of(caller).add(stored.Draft(**values, password_hash=kept))

    async def listed(self, caller: Caller, *, limit: int, skip: int) -> tuple[int, list[Account]]:
        """How many there are, and a part of them. Raises Problem(forbidden)."""
        must_administer(caller)
        users = self._of(caller)
        return await users.count(), await users.listed(limit=limit, skip=skip)

    async def shown(self, caller: Caller, id: int) -> Account:
        """One user. Raises Problem(forbidden, not_found)."""
        must_administer(caller)
        return await self._named(caller, id)

    async def me(self, caller: Caller) -> Account:
        """The user who asks."""
        return await self._named(caller, caller.user.id)

    async def change(self, caller: Caller, id: int, values: dict[str, Any]) -> Account:
        """Set these values and leave the others. Raises Problem(forbidden, not_found, invalid).

        A new password and the end of an account end its logins. Nobody shuts himself out.
        """
        must_administer(caller)
        account = await self._named(caller, id)
        if id == caller.user.id and (
            values.get("role", account.role) != account.role or not values.get("is_active", 1)
        ):
            message = "You cannot change your own role or deactivate yourself; another administrator can"
            raise Problem("invalid", message, {"role" if "role" in values else "is_active": message})
        if account.id == OPERATOR_ID and values.keys() & {"role", "is_active"}:
            raise Problem("forbidden", "The operator's own user keeps its role and cannot be deactivated")
        return await self._change(caller, id, values)

    async def change_me(self, caller: Caller, values: dict[str, Any], *, current_password: str) -> Account:
        """The same for one's own values; a new password takes the current one. Raises Problem(forbidden, invalid)."""
        must_keep_account(caller)
        if "password" in values:
            account = await self.me(caller)
            if account.password_hash and not await self._hashing.matches(current_password, account.password_hash):
                message = "current_password is not right"
                raise Problem("invalid", message, {"current_password": message})
        return await self._change(caller, caller.user.id, values)

    async def sign_out(self, caller: Caller, id: int) -> None:
        """End all logins of a user. Raises Problem(forbidden, not_found)."""
        must_keep_account(caller) if id == caller.user.id else must_administer(caller)
        await self._of(caller).change(_whole(id), {}, ends_logins=True)
        await self._identity.announce(IdentityChanged(tenant=caller.tenant, user_id=id))

    async def _change(self, caller: Caller, id: int, values: dict[str, Any]) -> Account:
        values = dict(values)
        if "password" in values:
            values["password_hash"] = await self._kept(values.pop("password"))
        ends_logins = "password_hash" in values or not values.get("is_active", True)
        changed = await self._of(caller).change(id, values, ends_logins=ends_logins)
        await self._identity.announce(IdentityChanged(tenant=caller.tenant, user_id=id))
        return changed

    async def _kept(self, password: str) -> str:
        check_password(password)
        return await self._hashing.hashed(password)

    async def _named(self, caller: Caller, id: int) -> Account:
        account = await self._of(caller).by_id(_whole(id))
        if account is None:
            raise Problem("not_found", f"User with id {id} not found")
        return account

    def _of(self, caller: Caller) -> stored.Users:
        return stored.Users(self._store, caller.tenant)


def _whole(id: int) -> int:
    """The store keeps no larger number: nobody has it."""
    return min(id, MAX_ID)
