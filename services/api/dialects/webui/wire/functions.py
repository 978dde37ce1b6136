"""Functions as bodies."""

from typing import Annotated, Any

import msgspec

from services.api.dialects.webui.faults import INSIDE

_LAST_S = 253_402_300_799  # the last second of the year 9999
Epoch = Annotated[int, msgspec.Meta(ge=0, le=_LAST_S)]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of `meta`; whatever else is in it is kept as it is."""

    description: str | None = None
    manifest: dict[str, Any] | None = None


Meta = Annotated[dict[str, Any], msgspec.Meta(extra={INSIDE: Described})]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a creation and of an update. `commit_message` is kept with the version of the code."""

    id: str
    name: str
    content: str
    meta: Meta
    commit_message: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A function as a sync wants it. `user_id`, `type`, `updated_at` are ours to say: they are read, and left."""

    id: str
    name: str
    content: str
    meta: Meta
    user_id: str | None = None
    type: str | None = None
    valves: dict[str, Any] | None = None
    is_active: bool = False
    is_global: bool = False
    updated_at: Epoch | None = None
    created_at: Epoch | None = None


class Sync(msgspec.Struct, frozen=True):
    """Body of a sync: all functions that there are to be."""

    functions: list[Entry]


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A function without its code. Times in whole seconds since 1970."""

    id: str
    user_id: str
    name: str
    type: str
    meta: dict[str, Any]
    is_active: bool
    is_global: bool
    version_id: str | None
    updated_at: int
    created_at: int


class Model(Response, frozen=True, kw_only=True):
    """A function with its code."""

    content: str


class WithValves(Model, frozen=True, kw_only=True):
    """A function with its code and its valves; null where none are set."""

    valves: dict[str, Any] | None


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever has made a function."""

    id: str
    name: str
    role: str
    email: str


class Row(Response, frozen=True, kw_only=True):
    """A function in the list of an administrator; `user` is null for one who is not there any more."""

    user: Owner | None
