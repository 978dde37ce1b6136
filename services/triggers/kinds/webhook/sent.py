"""A webhook as it came, and what is found of it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Reason = Literal["unsigned", "signature", "time", "source"]


class Sent(NamedTuple):
    """Header lines in order, names in small letters, values as latin-1. `url` is the public one, with its query."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes


class Verified(NamedTuple):
    """A webhook that may be taken. `delivery_id` makes it this one and no other; two with the same one are the same.

    It has at most 300 characters. Not `is_signed` is one that needed no secret and showed none.
    """

    source: str
    delivery_id: str
    is_signed: bool


class Forged(Exception):  # noqa: N818 - what it is, not what went wrong here
    """A webhook that must not be taken. The text is a sentence for its sender, without a word of ours in it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message


class Head:
    """The header lines, by name. A name that is asked for must be there once: which of two counts is nobody's guess."""

    def __init__(self, headers: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._repeated: set[str] = set()
        for name, value in headers:
            if name in self._values:
                self._repeated.add(name)
            self._values[name] = value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def get(self, name: str) -> str:
        """The value without the blanks around it, empty where there is none. Raises Forged where there are two."""
        if name in self._repeated:
            raise Forged("signature", f"There is more than one header {name}")
        return self._values.get(name, "").strip(" \t")

    def first(self, names: Sequence[str]) -> str:
        """The first of these that says anything. Raises Forged."""
        return next((value for value in map(self.get, names) if value), "")
