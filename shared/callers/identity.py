"""Who is known: tenants, users, tokens and logins, at hand without a look into the store."""

from datetime import UTC, datetime

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import IdentityChanged
from shared.domain.caller import Caller, lesser
from shared.domain.tenant import DEFAULT, Tenant
from shared.domain.token import Login, Token
from shared.domain.user import Account
from shared.remembered import Remembered
from shared.store import tenants, tokens
from shared.store.client import Store
from shared.store.logins import Logins
from shared.store.users import Users


class Identity:
    """Who was looked up is believed for `believed_s` or until a change; with the store away, for as long as it is."""

    def __init__(self, bus: Bus, store: Store, *, believed_s: float) -> None:
        self._bus = bus
        self._store = store
        self._tenants: Remembered[str, Tenant] = Remembered(self._ask_tenant, believed_s=believed_s)
        self._users: Remembered[tuple[str, int], Account] = Remembered(self._ask_user, believed_s=believed_s)
        self._tokens: Remembered[str, Token] = Remembered(self._ask_token, believed_s=believed_s)
        self._logins: Remembered[tuple[str, str], Login] = Remembered(self._ask_login, believed_s=believed_s)

    async def open(self) -> None:
        """Hear of the changes that others make."""
        await self._bus.listen(subjects.identity("*"), self._changed, body=IdentityChanged)
        self._bus.on_return(self._doubt)

    async def announce(self, change: IdentityChanged) -> None:
        """Say that something has changed, to this process at once and to all others by bus."""
        await self._changed(change)
        await self._bus.send(subjects.identity(change.tenant), change)

    async def keep_operator(self, token: str) -> None:
        """See that the operator's own token is known, and none that it had before; "" for no token at all."""
        await tenants.keep(self._store, DEFAULT)
        if token:
            await Users(self._store, DEFAULT).keep_operator()
        for former in await tokens.keep_operator(self._store, token):
            await self.announce(IdentityChanged(tenant=DEFAULT, token=former))

    async def tenant(self, slug: str) -> Tenant | None:
        """The tenant, if there is one and it is active. Raises Problem(unavailable)."""
        found = await self._tenants.find(slug)
        return found if found is not None and found.is_active else None

    async def by_token(self, token_hash: str) -> Caller | None:
        """For whom a token speaks now. Raises Problem(unavailable)."""
        token = await self._tokens.find(token_hash)
        if token is None or not token.valid_at(datetime.now(UTC)):
            return None
        account = await self._active(token.tenant, token.user_id)
        if account is None:
            return None
        return Caller(
            tenant=token.tenant,
            user=account.user,
            role=lesser(token.role, account.role),
            scopes=token.scopes,
            token_id=f"token-{token.id}",
            expires_at=token.expires_at,
        )

    async def by_login(self, tenant: str, id: str) -> Caller | None:
        """For whom a login speaks now. Raises Problem(unavailable)."""
        login = await self._logins.find((tenant, id))
        if login is None or login.revoked_at is not None:
            return None
        account = await self._active(tenant, login.user_id)
        if account is None or account.session != login.session:
            return None
        return Caller(tenant=tenant, user=account.user, role=account.role, token_id=f"login-{id}")

    async def _active(self, tenant: str, user_id: int) -> Account | None:
        if await self.tenant(tenant) is None:
            return None
        account = await self._users.find((tenant, user_id))
        return account if account is not None and account.is_active else None

    async def _changed(self, change: IdentityChanged) -> None:
        if change.user_id:
            self._users.drop((change.tenant, change.user_id))
        if change.token:
            self._tokens.drop(change.token)
        if change.login:
            self._logins.drop((change.tenant, change.login))
        if not (change.user_id or change.token or change.login):
            self._forget(change.tenant)

    def _forget(self, tenant: str) -> None:
        """With a tenant goes all that it has: it may have been deleted, and another one made of that name."""
        self._tenants.drop(tenant)
        self._users.drop_all(lambda key, _: key[0] == tenant)
        self._logins.drop_all(lambda key, _: key[0] == tenant)
        self._tokens.drop_all(lambda _, token: token.tenant == tenant)

    def _doubt(self) -> None:
        for remembered in (self._tenants, self._users, self._tokens, self._logins):
            remembered.doubt()

    async def _ask_tenant(self, slug: str) -> Tenant | None:
        return await tenants.find(self._store, slug)

    async def _ask_user(self, key: tuple[str, int]) -> Account | None:
        tenant, id = key
        return await Users(self._store, tenant).by_id(id)

    async def _ask_token(self, token_hash: str) -> Token | None:
        found = await tokens.by_hash(self._store, token_hash)
        if found is not None and found.valid_at(datetime.now(UTC)):
            await tokens.Tokens(self._store, found.tenant).touch(found)
        return found

    async def _ask_login(self, key: tuple[str, str]) -> Login | None:
        tenant, id = key
        return await Logins(self._store, tenant).by_id(id)
