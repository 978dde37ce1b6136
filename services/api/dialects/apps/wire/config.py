"""The settings of an app as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Line = Annotated[str, Meta(max_length=1000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class PatchEndUsers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is not sent stays; null takes it away. `jwt_secret` sent as it is shown means the one that is stored."""

    jwt_secret: str | UnsetType | None = UNSET
    jwks_url: Line | UnsetType | None = UNSET
    issuer: Line | UnsetType | None = UNSET
    audience: Line | UnsetType | None = UNSET
    user_claim: Line | UnsetType | None = UNSET


class PatchConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a change."""

    name: Name | UnsetType = UNSET
    allowed_origins: list[str] | UnsetType = UNSET
    end_users: PatchEndUsers | UnsetType = UNSET


class EndUsers(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's end users prove who they are; null where it is not set."""

    jwt_secret: str | None
    jwks_url: str | None
    issuer: str | None
    audience: str | None
    user_claim: str


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """An app's settings."""

    id: str
    slug: str
    name: str
    allowed_origins: list[str]
    end_users: EndUsers
