"""A part of a list, as a body."""

from typing import Generic, TypeVar

import msgspec

Row = TypeVar("Row")


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """A part of a list. `next` and `previous` are URLs."""

    count: int
    next: str | None
    previous: str | None
    results: list[Row]
