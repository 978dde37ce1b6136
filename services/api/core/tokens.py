"""API tokens: each user's own, and for administrators everybody's in the tenant."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.api.core.rights import must_administer, must_keep_account
from shared.bus.notices import IdentityChanged
from shared.callers.identity import Identity
from shared.domain.caller import Caller, Role, Scope, lesser
from shared.domain.problem import Problem, wrong
from shared.domain.token import Token
from shared.store import tokens as stored
from shared.store.client import MAX_ID, Store
from shared.store.users import Users


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A token to be: with the role, the scopes and the end of who makes it, unless it asks for less."""

    name: str
    role: Role | None = None
    scopes: frozenset[Scope] | None = None
    expires_at: datetime | None = None


class Shown(NamedTuple):
    """A token and whose it is."""

    token: Token
    username: str


class Tokens:
    """What can be done with tokens. Every method raises Problem(forbidden), and (unavailable) with the store away."""

    def __init__(self, store: Store, identity: Identity) -> None:
        self._store = store
        self._identity = identity

    async def create(self, caller: Caller, draft: Draft) -> tuple[Shown, str]:
        """A token for oneself, and its secret, shown this once. Raises Problem(invalid)."""
        must_keep_account(caller)
        role, scopes = draft.role or caller.role, draft.scopes if draft.scopes is not None else caller.scopes
        if lesser(role, caller.role) != role:
            raise wrong("role", f"role must be at most your own: {caller.role}")
        if not scopes:
            raise wrong("scopes", "scopes must name at least one")
        if not scopes <= caller.scopes:
            raise wrong("scopes", f"scopes must be at most your own: {', '.join(sorted(caller.scopes))}")
        expires_at = caller.expires_at if draft.expires_at is None else _in_utc(draft.expires_at)
        if expires_at is not None and caller.expires_at is not None and expires_at > caller.expires_at:
            raise wrong("expires_at", "expires_at must be no later than that of the token that asks")
        kept = stored.Draft(name=draft.name, user_id=caller.user.id, role=role, scopes=scopes, expires_at=expires_at)
        token, secret = await self._of(caller).add(kept)
        return Shown(token, caller.user.username), secret

    async def listed(self, caller: Caller, *, user_id: int | None, limit: int, skip: int) -> tuple[int, list[Shown]]:
        """How many one has, or another user whose id is given, and a part of them."""
        whose = caller.user.id if user_id is None else user_id
        must_keep_account(caller) if whose == caller.user.id else must_administer(caller)
        tokens = self._of(caller)
        count, found = await tokens.count(user_id=whose), await tokens.listed(user_id=whose, limit=limit, skip=skip)
        return count, [await self._shown(caller, token) for token in found]

    async def shown(self, caller: Caller, id: int) -> Shown:
        """One token. Raises Problem(not_found), also for somebody else's that is none of the caller's business."""
        must_keep_account(caller)
        token = await self._of(caller).by_id(min(id, MAX_ID))
        if token is None or (token.user_id != caller.user.id and caller.role != "admin"):
            raise Problem("not_found", f"Token with id {id} not found")
        return await self._shown(caller, token)

    async def revoke(self, caller: Caller, id: int) -> None:
        """It speaks for nobody from now on. Raises Problem(not_found)."""
        token = (await self.shown(caller, id)).token
        token_hash = await self._of(caller).revoke(token.id)
        await self._identity.announce(IdentityChanged(tenant=caller.tenant, token=token_hash))

    async def _shown(self, caller: Caller, token: Token) -> Shown:
        if token.user_id == caller.user.id:
            return Shown(token, caller.user.username)
        account = await Users(self._store, caller.tenant).by_id(token.user_id)
        return Shown(token, account.username if account else "")

    def _of(self, caller: Caller) -> stored.Tokens:
        return stored.Tokens(self._store, caller.tenant)


def _in_utc(expires_at: datetime) -> datetime:
    """The same moment as it is kept and shown. Raises Problem(invalid) where UTC has another year than can be kept."""
    try:
        return expires_at.astimezone(UTC)
    except OverflowError:
        raise wrong("expires_at", "expires_at must be within the years 1 to 9999 in UTC") from None
