"""Who asks."""

from datetime import datetime
from typing import Literal, get_args

import msgspec

Role = Literal["admin", "developer", "user"]
Scope = Literal["functions:read", "functions:write", "functions:execute", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)
"""From the one who may everything to the one who may least."""
SCOPES: frozenset[Scope] = frozenset(get_args(Scope))


class User(msgspec.Struct, frozen=True):
    """The person an invocation is made for, as handlers and webhooks see them."""

    id: int
    username: str
    email: str


class Caller(msgspec.Struct, frozen=True):
    """An authenticated request's identity: one tenant, one user, one role.

    `scopes` narrow what the role allows. `token_id` names the token, or the login, that speaks: the same for as long as
    it is the same one, and no secret. `expires_at` is when that token ends; None for logins and tokens without end.
    """

    tenant: str
    user: User
    role: Role
    scopes: frozenset[Scope] = SCOPES
    token_id: str = ""
    expires_at: datetime | None = None


def lesser(one: Role, other: Role) -> Role:
    """The role of the two that allows less."""
    return max(one, other, key=ROLES.index)
