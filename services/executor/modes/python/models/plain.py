"""Plain data, frozen: what a model's definition may be made of beside its types.

Frozen data is nested tuples of texts and numbers, each with its type, so that two definitions are equal only if they
are the same, and nothing in it has a method of the function's own.
"""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

Frozen = tuple[Any, ...]

MOST_DEPTH: Final = 32
"""Levels of a value or of a type in a definition; pydantic descends by recursion, in C as well."""


class NotPlainError(TypeError):
    """There is an object in the value that is no plain data."""


_LEAVES: dict[type, Callable[[Any], Any]] = {
    str: str,
    bytes: bytes,
    bool: bool,
    int: int,
    float: repr,  # 0.0 and -0.0 are equal, and no nan is
    Decimal: str,
    UUID: lambda value: value.int,
    datetime.date: lambda value: value.isoformat(),
    datetime.timedelta: lambda value: (value.days, value.seconds, value.microseconds),
}
_CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_ZONES = (type(None), datetime.timezone)

Foreign = Callable[[Any], Frozen | None]
"""Freezes what only its caller knows; None for what he does not know either."""


def freeze(value: Any, foreign: Foreign | None = None, *, depth: int = 0) -> Frozen:
    """The value, frozen. Raises NotPlainError."""
    kind = type(value)
    if depth > MOST_DEPTH:
        raise NotPlainError("it is nested too deeply")
    if value is None or value is ...:
        return ("None" if value is None else "Ellipsis",)
    if kind in _LEAVES:
        return (kind.__name__, _LEAVES[kind](value))
    if kind in (datetime.datetime, datetime.time) and type(value.tzinfo) in _ZONES:
        return (kind.__name__, value.isoformat(), value.fold)
    if kind is dict:
        pairs = ((key, value[key]) for key in value)
        return ("dict", tuple(tuple(freeze(part, foreign, depth=depth + 1) for part in pair) for pair in pairs))
    if kind.__name__ in _CONTAINERS and kind is _CONTAINERS[kind.__name__]:
        return (kind.__name__, tuple(freeze(item, foreign, depth=depth + 1) for item in value))
    known = foreign(value) if foreign else None
    if known is None:
        raise NotPlainError(f"{kind.__name__} objects are no plain data")
    return known


_THAW: dict[str, Callable[..., Any]] = {
    "None": lambda: None,
    "Ellipsis": lambda: ...,
    "str": str,
    "bytes": bytes,
    "bool": bool,
    "int": int,
    "float": float,
    "Decimal": Decimal,
    "UUID": lambda number: UUID(int=number),
    "date": datetime.date.fromisoformat,
    "timedelta": lambda parts: datetime.timedelta(*parts),
    "datetime": lambda text, fold: datetime.datetime.fromisoformat(text).replace(fold=fold),
    "time": lambda text, fold: datetime.time.fromisoformat(text).replace(fold=fold),
}

Stranger = Callable[[Frozen], Any]


def thaw(frozen: Frozen, stranger: Stranger | None = None) -> Any:
    """A new value, equal to the one that was frozen."""
    tag = frozen[0]
    if tag in _THAW:
        return _THAW[tag](*frozen[1:])
    if tag == "dict":
        return {thaw(key, stranger): thaw(value, stranger) for key, value in frozen[1]}
    if tag in _CONTAINERS:
        return _CONTAINERS[tag](thaw(item, stranger) for item in frozen[1])
    if stranger is None:
        raise NotPlainError(f"nobody knows what a {tag} is")
    return stranger(frozen)
