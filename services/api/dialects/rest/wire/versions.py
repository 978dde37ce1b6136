"""Code versions as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import Meta

Code = Annotated[str, Meta(min_length=1)]


class UploadCode(msgspec.Struct, frozen=True, kw_only=True):
    """Body of an upload of code. Without `is_active`, the first version becomes active and later ones do not."""

    version: Annotated[str, Meta(min_length=1, max_length=50)]
    code: Code
    is_active: bool | None = None


class PatchCode(msgspec.Struct, frozen=True, kw_only=True):
    """Body of an edit of the active version."""

    code: Code


class ActiveCode(msgspec.Struct, frozen=True, kw_only=True):
    """The version that runs."""

    id: int
    version: str
    code: str
    is_active: bool
    created_at: str
    created_by: int
    created_by_username: str


class VersionBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A version in its function."""

    id: int
    version: str
    is_active: bool
    created_at: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its code."""

    id: int
    function: int
    version: str
    code: str
    is_active: bool
    created_at: str
    created_by: int
    created_by_username: str


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list."""

    id: int
    function: int
    version: str
    is_active: bool
    created_at: str
    created_by_username: str
