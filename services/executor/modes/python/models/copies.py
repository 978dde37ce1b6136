"""Deep copies of what a function holds: containers and models are copied, everything else stays what it is.

Python's own `copy` asks any object how it is taken apart and put together: it would copy the platform's objects, too.
"""

from collections.abc import Callable
from typing import Any, Final

MARK: Final = "__copied__"
"""A method of the objects that know how they are copied."""

_ITEMS: dict[type, Callable[[Any], Any]] = {list: list, tuple: tuple, set: set, frozenset: frozenset}


def deep(value: Any) -> Any:
    """The copy. A container that is in itself is a RecursionError."""
    kind = type(value)
    if kind is dict:
        return {deep(key): deep(part) for key, part in value.items()}
    if kind in _ITEMS:
        return _ITEMS[kind]([deep(part) for part in value])
    own = getattr(kind, MARK, None)
    return value if own is None else own(value)
