"""The `copy` of a function: containers, models and instances of the function's own classes, each by a way written down.

Python's own asks any object how it is taken apart and put together: it would copy the platform's objects, too.
"""

import datetime
import re
import time
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from services.executor.modes.python.models.model import BaseModel
from services.executor.modes.python.models.strangers import REAL
from services.executor.modes.python.own_classes import OWN

MOST_LEVELS: Final = 300
"""Of containers in containers."""

# A class made of it may call something else by that name.
_FACTORY: Any = vars(defaultdict)["default_factory"]

Part = Callable[[Any], Any]
"""What becomes of what is in a container."""

# Nothing in them can be changed, or they are what they are whoever holds them.
_AS_THEY_ARE = frozenset(
    {
        *(types.NoneType, types.EllipsisType, types.NotImplementedType, types.FunctionType, types.BuiltinFunctionType),
        *(bool, int, float, complex, str, bytes, range, type, property, Decimal, Fraction, UUID, re.Pattern),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone, time.struct_time),
        *REAL,
    }
)


def shallow(x: Any) -> Any:
    """`copy.copy`: another container of the same things. Raises TypeError for what is not copied here."""
    if isinstance(x, BaseModel):
        return BaseModel.model_copy(x)
    if type(x) in _AS_THEY_ARE:
        return x
    made, fill = _begun(x, lambda part: part)
    fill()
    return made


def deep(x: Any, memo: Any = None) -> Any:
    """`copy.deepcopy`: with copies of what is in it, each made once. Raises TypeError and RecursionError."""
    return _Deep().copied(x)


class _Deep:
    """One deep copy. It remembers what it has copied, for what is in several places, or in itself."""

    def __init__(self) -> None:
        self._level = 0
        # With the original, so that no other object gets its number meanwhile.
        self._made: dict[int, tuple[Any, Any]] = {}

    def copied(self, value: Any) -> Any:
        if type(value) in _AS_THEY_ARE:
            return value
        known = self._made.get(id(value))
        if known is not None:
            return known[1]
        if self._level == MOST_LEVELS:
            raise RecursionError(f"there are more than {MOST_LEVELS} levels to copy")
        self._level += 1
        made = self._container(value)
        self._level -= 1
        return made

    def _container(self, value: Any) -> Any:
        if isinstance(value, BaseModel):
            begun: Any = object.__new__(type(value))
            self._made[id(value)] = (value, begun)
            return BaseModel.__copied__(value, self.copied, begun)
        made, fill = _begun(value, self.copied)
        # What cannot be made without its parts may have been made by one of them meanwhile.
        made = self._made.setdefault(id(value), (value, made))[1]
        fill()
        return made


def _begun(value: Any, part: Part) -> tuple[Any, Callable[[], None]]:
    """Another of its kind, and what fills it."""
    kind = type(value)
    base = _base_of(kind)
    if base is None:
        raise TypeError(f"{kind.__name__} objects cannot be copied here")
    made = _NEW[base](base, kind, value, part)

    def fill() -> None:
        into = _FILL.get(base)
        if into is not None:
            into(base, made, value, part)
        if kind in OWN or base is Counter:
            state = vars(made)
            for name, one in list(vars(value).items()):
                state[name] = part(one)

    return made, fill


def _base_of(kind: type) -> type | None:
    """Which of the kinds that are known here it is, or the function has made it of."""
    line = tuple(one for one in kind.__mro__ if one not in OWN)
    base = tuple if issubclass(kind, tuple) and type(kind) is type else line[0]
    if base is not tuple and line != base.__mro__:
        return None
    return base if base in _NEW and (base is not object or kind in OWN) else None


def _empty(base: Any, kind: type, value: Any, _: Part) -> Any:
    return base.__new__(kind)


def _bounded(base: Any, kind: type, value: Any, _: Part) -> Any:
    made = base.__new__(kind)
    base.__init__(made, (), deque.maxlen.__get__(value))
    return made


def _of_itself(base: Any, kind: type, value: Any, _: Part) -> Any:
    return base.__new__(kind, value)


def _of_parts(base: Any, kind: type, value: Any, part: Part) -> Any:
    parts = []
    for one in base.__iter__(value):
        parts.append(part(one))  # noqa: PERF401 - a comprehension is a level of the stack more
    return base.__new__(kind, parts)


def _bytes(base: Any, kind: type, value: Any, _: Part) -> Any:
    made: bytearray = bytearray.__new__(kind)
    bytearray.__init__(made, value)
    return made


def _items(base: Any, made: Any, value: Any, part: Part) -> None:
    if base is defaultdict:
        _FACTORY.__set__(made, _FACTORY.__get__(value))
    for key, one in list(base.items(value)):
        base.__setitem__(made, part(key), part(one))


def _appended(base: Any, made: Any, value: Any, part: Part) -> None:
    for one in list(base.__iter__(value)):
        base.append(made, part(one))


def _added(base: Any, made: Any, value: Any, part: Part) -> None:
    for one in list(base.__iter__(value)):
        base.add(made, part(one))


_DICTS = (dict, OrderedDict, defaultdict, Counter)

_NEW: dict[Any, Callable[[Any, type, Any, Part], Any]] = (
    dict.fromkeys((object, list, set, *_DICTS), _empty)
    | dict.fromkeys((int, float, complex, str, bytes), _of_itself)
    | dict.fromkeys((tuple, frozenset), _of_parts)
    | {deque: _bounded, bytearray: _bytes}
)
_FILL: dict[Any, Callable[[Any, Any, Any, Part], None]] = dict.fromkeys(_DICTS, _items) | {
    list: _appended,
    deque: _appended,
    set: _added,
}

NAMES: dict[str, Any] = {"copy": shallow, "deepcopy": deep}
