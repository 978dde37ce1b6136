"""The bodies of errors."""

from msgspec import UNSET, Struct, UnsetType


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request: its kind, the way to it, a sentence. What was sent is not repeated."""

    type: str
    loc: tuple[str | int, ...]
    msg: str
    ctx: dict[str, str] | UnsetType = UNSET


class Error(Struct, frozen=True):
    """The body of every error: a sentence, or all that is wrong with a request's fields."""

    detail: str | list[Fault]
