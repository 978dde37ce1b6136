"""Keys that are two in Python and one in JSON: 1 and "1", True and "true", None and "null"."""

from typing import Any

_PLAIN = frozenset({str, int, float, bool, type(None)})
_NAMES = {True: "true", False: "false", None: "null"}


def twins(result: Any) -> str | None:
    """The first name that a dict of the result would have twice as JSON, or None. The result is free of cycles."""
    left = [result]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if not set(map(type, value)) <= {str} and (name := _twice(value)) is not None:
                return name
            value = list(value.values())
        if isinstance(value, list | tuple) and not set(map(type, value)) <= _PLAIN:
            left.extend(value)
    return None


def _twice(value: dict[Any, Any]) -> str | None:
    seen: set[str] = set()
    for key in value:
        name = _name(key)
        if name in seen:
            return name
        seen.add(name)
    return None


def _name(key: Any) -> str:
    """As the encoder writes it."""
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return _NAMES[key]
    return float.__repr__(key) if isinstance(key, float) else int.__repr__(key)
