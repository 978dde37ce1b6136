"""Logins: by name and password, kept up by refresh tokens that are good once, ended."""

import secrets
from typing import NamedTuple

from services.api.core.hashing import Hashing
from shared import passwords, telemetry
from shared.bus.notices import IdentityChanged
from shared.callers.identity import Identity
from shared.callers.signing import Claims, Signer
from shared.domain.problem import Problem
from shared.domain.user import MAX_PASSWORD, Account
from shared.store import logins as stored
from shared.store.client import Store
from shared.store.users import Users

_ID_BYTES = 12
_log = telemetry.logger("logins")

REFUSED = "No active account found with the given credentials"
_NOT_VALID = "Token is invalid or expired"


class Pair(NamedTuple):
    """What a login is given: who it is, a token for requests, and one for the next pair."""

    account: Account
    access: str
    refresh: str


class Logins:
    """Every method raises Problem(unavailable) when the store is away, or the operator has set no key."""

    def __init__(self, store: Store, identity: Identity, signer: Signer, hashing: Hashing) -> None:
        self._store = store
        self._identity = identity
        self._signer = signer
        self._hashing = hashing

    async def by_password(self, tenant: str, name: str, password: str, *, by_email: bool = False) -> Pair:
        """A new login. Raises Problem(unauthenticated).

        Whatever was wrong, it is told in the same words after the same work.
        """
        with self._hashing.room():
            return await self._by_password(tenant, name, password, by_email=by_email)

    async def _by_password(self, tenant: str, name: str, password: str, *, by_email: bool) -> Pair:
        account = await self._named(tenant, name, by_email=by_email)
        may = account is not None and account.is_active and len(password) <= MAX_PASSWORD
        kept = account.password_hash if account is not None and may else ""
        if not await self._hashing.matches(password[:MAX_PASSWORD], kept) or account is None:
            _log.info("login refused", tenant=tenant)
            raise Problem("unauthenticated", REFUSED)
        if passwords.outdated(kept):
            await Users(self._store, tenant).rehash(account, await self._hashing.hashed(password))
        login = await stored.Logins(self._store, tenant).begin(
            account, secrets.token_hex(_ID_BYTES), lasts_s=self._signer.refresh_s
        )
        return self._pair(account, login.id, login.turn)

    async def refreshed(self, refresh: str, *, host: str | None) -> Pair:
        """The next pair of a login. Raises Problem(unauthenticated).

        A refresh token that comes again was copied: whoever else has the newer one is shut out with it.
        """
        claims = self._read(refresh, host)
        caller = await self._identity.by_login(claims.tenant, claims.login)
        account = None if caller is None else await Users(self._store, claims.tenant).by_id(claims.user_id)
        if account is None:
            raise Problem("unauthenticated", _NOT_VALID)
        logins = stored.Logins(self._store, claims.tenant)
        login = await logins.turn(claims.login, claims.turn, lasts_s=self._signer.refresh_s)
        if login is None:
            _log.warning("refresh token used twice", tenant=claims.tenant, user_id=claims.user_id, login=claims.login)
            await self._end(claims)
            raise Problem("unauthenticated", _NOT_VALID)
        return self._pair(account, login.id, login.turn)

    async def end(self, refresh: str, *, host: str | None) -> None:
        """The login is over, with every token of it. Raises Problem(unauthenticated)."""
        await self._end(self._read(refresh, host))

    def _read(self, refresh: str, host: str | None) -> Claims:
        claims = self._signer.read("refresh", refresh)
        if claims is None or host not in (None, claims.tenant):
            raise Problem("unauthenticated", _NOT_VALID)
        return claims

    async def _end(self, claims: Claims) -> None:
        await stored.Logins(self._store, claims.tenant).revoke(claims.login)
        await self._identity.announce(IdentityChanged(tenant=claims.tenant, login=claims.login))

    async def _named(self, tenant: str, name: str, *, by_email: bool) -> Account | None:
        known = await self._identity.tenant(tenant)
        users = Users(self._store, tenant)  # asked in any case: it takes as long for a tenant that is not there
        account = await (users.by_email(name) if by_email else users.by_name(name))
        return account if known is not None else None

    def _pair(self, account: Account, login: str, turn: int) -> Pair:
        names = {"tenant": account.tenant, "user_id": account.id, "login": login, "turn": turn}
        return Pair(
            account,
            self._signer.signed("access", **names),  # type: ignore[arg-type]
            self._signer.signed("refresh", **names),  # type: ignore[arg-type]
        )
