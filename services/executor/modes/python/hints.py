"""What `typing` and `pydantic` give a function to write types with: expressions that say what they are, and no more.

A real object of `typing` is a way into its module. A hint holds what was written; `models` reads it by an allow-list.
"""

import collections
import collections.abc
from typing import Any

_ABSTRACT = (
    "AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Collection Container Coroutine Generator Hashable "
    "ItemsView Iterable Iterator KeysView Mapping MutableMapping MutableSequence MutableSet Reversible Sequence Sized "
    "ValuesView"
)
_PLAIN = (
    "AbstractSet Annotated Any AnyStr AsyncContextManager ClassVar Concatenate ContextManager DefaultDict Deque Dict "
    "Final FrozenSet List Literal LiteralString Match Never NoReturn NotRequired Optional OrderedDict ParamSpec "
    "Pattern Required Self Set SupportsFloat SupportsInt Tuple Type TypeAlias TypeGuard TypeVar Union Unpack"
)
# What `isinstance` can be asked about a hint.
_ASKED: dict[str, type] = {name: getattr(collections.abc, name) for name in _ABSTRACT.split()} | {
    "AbstractSet": collections.abc.Set,
    "DefaultDict": collections.defaultdict,
    "Deque": collections.deque,
    "Dict": dict,
    "FrozenSet": frozenset,
    "List": list,
    "OrderedDict": collections.OrderedDict,
    "Set": set,
    "Tuple": tuple,
}


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

    def __instancecheck__(self, value: Any) -> bool:
        """`isinstance(value, Mapping)`: the answer alone, for the real class leads further."""
        return isinstance(value, self.__asked__())

    def __subclasscheck__(self, kind: Any) -> bool:
        return issubclass(kind, self.__asked__())

    def __asked__(self) -> type:
        kind = _ASKED.get(self.__title__) if self.__arguments__ is None else None
        if kind is None:
            raise TypeError(f"{self.__title__} is no class that isinstance() can be asked about")
        return kind

    def __repr__(self) -> str:
        return f"<{self.__title__}>"


def title_of(hint: Hint) -> str:
    """What it is: a name of `typing`, or one that `models` gave it."""
    return hint.__title__


def arguments_of(hint: Hint) -> tuple[Any, ...] | None:
    """What stood in the brackets; None where there were none."""
    return hint.__arguments__


def _same(value: Any) -> Any:
    return value


def _cast(_: Any, value: Any) -> Any:
    return value


def _new_type(_: str, __: Any) -> Any:
    return _same


ABSTRACT: dict[str, Any] = {name: Hint(name) for name in _ABSTRACT.split()}

OF_COLLECTIONS: dict[str, Any] = ABSTRACT | {"Set": Hint("AbstractSet")}
"""The names of `collections.abc`."""

OF_TYPING: dict[str, Any] = (
    ABSTRACT
    | {name: Hint(name) for name in _PLAIN.split()}
    | {"NewType": _new_type, "TYPE_CHECKING": False, "Text": str, "cast": _cast, "final": _same, "overload": _same}
)
"""The names of `typing`."""
