"""API tokens as bodies, field by field."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.domain.caller import Role, Scope

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Expiry = Annotated[datetime, Meta(tz=True)]


class CreateToken(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of a token; without `role` and `scopes` it may all that its maker may."""

    name: Name
    role: Role | None = None
    scopes: frozenset[Scope] | None = None
    expires_at: Expiry | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret."""

    id: int
    name: str
    user: int
    username: str
    role: Role
    scopes: list[Scope]
    expires_at: str | None
    revoked_at: str | None
    created_at: str
    last_used_at: str | None


class NewToken(Token, frozen=True, kw_only=True):
    """A token just made, with its secret, which is not shown again."""

    token: str
