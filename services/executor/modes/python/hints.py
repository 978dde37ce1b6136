"""What `typing` and `pydantic` give a function to write types with: expressions that say what they are, and no more.

A real object of `typing` is a way into its module. A hint holds what was written; `models` reads it by an allow-list.
"""

from typing import Any


class Hint:
    """A name of `typing`, or one with its arguments: `Optional`, `Optional[str]`, `Literal["a"]`."""

    # Dunder names, which nothing that a function can do will spell.
    __slots__ = ("__arguments__", "__title__")
    __arguments__: tuple[Any, ...] | None
    __title__: str

    def __init__(self, title: str, arguments: tuple[Any, ...] | None = None) -> None:
        self.__title__ = title
        self.__arguments__ = arguments

    def __getitem__(self, item: Any) -> "Hint":
        if self.__arguments__ is not None:
            return Hint(f"{self.__title__}[...]", ())
        return Hint(self.__title__, item if type(item) is tuple else (item,))

    def __call__(self, *_: Any, **__: Any) -> "Hint":
        """`TypeVar("T")` and the like."""
        return Hint(f"{self.__title__}()", ())

    def __or__(self, other: Any) -> "Hint":
        return Hint("Union", (self, other))

    def __ror__(self, other: Any) -> "Hint":
        return Hint("Union", (other, self))

    def __repr__(self) -> str:
        return f"<{self.__title__}>"


def title_of(hint: Hint) -> str:
    """What it is: a name of `typing`, or one that `models` gave it."""
    return hint.__title__


def arguments_of(hint: Hint) -> tuple[Any, ...] | None:
    """What stood in the brackets; None where there were none."""
    return hint.__arguments__
