"""Who sends a request: `Authorization: Bearer <token>` or `Api-Key <token>`."""

import msgspec

from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from shared.remembered import Remembered
from shared.store import tokens
from shared.store.client import Store

_SCHEMES = frozenset({"bearer", "api-key"})
_ADMIN = Caller(tenant="default", user=User(id=1, username="admin", email="admin@localhost"), role="admin")


class Auth:
    """Tokens, each believed for `believed_s`; with the store away, for as long as it is."""

    def __init__(self, store: Store, *, believed_s: float) -> None:
        self._store = store
        self._callers: Remembered[str, Caller] = Remembered(self._ask, believed_s=believed_s)

    async def caller(self, authorization: str | None) -> Caller:
        """Who the header's value speaks for. Raises Problem(unauthenticated, unavailable)."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() not in _SCHEMES or not (token := token.strip()):
            raise Problem("unauthenticated", "Authentication credentials were not provided.")
        caller = await self._callers.find(tokens.hashed(token))
        if caller is None:
            raise Problem("unauthenticated", "Invalid token.")
        return caller

    async def keep_admin(self, token: str) -> None:
        """Make sure that the operator's own token is known, and none that it had before; "" for no token at all."""
        await tokens.keep_operator(self._store, token, _ADMIN)

    async def _ask(self, token_hash: str) -> Caller | None:
        caller = await tokens.whose_hash(self._store, token_hash)
        return None if caller is None else msgspec.structs.replace(caller, token_id=token_hash)
