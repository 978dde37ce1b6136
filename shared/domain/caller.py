"""Who asks."""

from typing import Literal

import msgspec

Role = Literal["admin", "developer", "user"]


class User(msgspec.Struct, frozen=True):
    """The person an invocation is made for, as handlers and webhooks see them."""

    id: int
    username: str
    email: str


class Caller(msgspec.Struct, frozen=True):
    """An authenticated request's identity: one tenant, one user, one role.

    `token_id` names the token that speaks: the same for as long as it is the same one, and no secret.
    """

    tenant: str
    user: User
    role: Role
    token_id: str = ""
