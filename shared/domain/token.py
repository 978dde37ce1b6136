"""API tokens and logins: what proves who asks, and for how long."""

from datetime import datetime

import msgspec

from shared.domain.caller import SCOPES, Role, Scope

MAX_TOKENS = 100
"""The most tokens that one user may have at once."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An API token as it is kept: all but the secret itself.

    It speaks for its user with at most `role` and `scopes`, until it expires or is revoked. `last_used_at` is coarse.
    """

    id: int
    tenant: str
    name: str
    user_id: int
    role: Role
    scopes: frozenset[Scope] = SCOPES
    operator: bool = False
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    created_at: datetime
    last_used_at: datetime | None = None

    def valid_at(self, now: datetime) -> bool:
        """Whether it speaks for its user then."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that lasts: each refresh token of its family is good for one `turn`.

    `session` is the user's at the time: when the user's is higher, the login is over.
    """

    id: str
    tenant: str
    user_id: int
    session: int
    turn: int = 0
    expires_at: datetime
    revoked_at: datetime | None = None
    created_at: datetime
