"""Users as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.caller import Role

Username = Annotated[str, Meta(min_length=1, max_length=150)]
Email = Annotated[str, Meta(max_length=254)]
FullName = Annotated[str, Meta(max_length=200, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Password = Annotated[str, Meta(max_length=500)]


class CreateUser(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of a user."""

    username: Username
    email: Email = ""
    full_name: FullName = ""
    role: Role = "user"
    password: Password = ""


class PatchUser(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change of a user by an administrator: what is absent stays."""

    email: Email | UnsetType = UNSET
    full_name: FullName | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET


class PatchMe(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change of one's own account: what is absent stays. `current_password` goes with `password`."""

    email: Email | UnsetType = UNSET
    full_name: FullName | UnsetType = UNSET
    password: Password | UnsetType = UNSET
    current_password: Password = ""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user."""

    id: int
    username: str
    email: str
    full_name: str
    role: Role
    is_active: bool
    created_at: str


class Me(User, frozen=True, kw_only=True):
    """The user who asks; the same again as `data`, where clients look for it."""

    tenant: str
    data: User
