"""Apps as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class CreateApp(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of an app."""

    name: Name
    slug: str = ""


class PatchApp(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the renaming of an app."""

    name: Name


class App(msgspec.Struct, frozen=True, kw_only=True):
    """An app; `created_at` is null where it was made before apps were dated."""

    id: int
    slug: str
    name: str
    created_at: str | None
