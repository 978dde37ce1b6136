"""What functions and methods that code can get at write to, read from their code."""

import dis
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from services.executor.modes.python.facades import FACADES

# What they write to they have made themselves, or have looked at before; or they look for what only their own kind has.
_WRITING = {
    *("Event.clear", "Event.set", "Lock.acquire", "Lock.release", "Random.gauss", "Random.seed", "Random.setstate"),
    *("disable", "lru_cache", "namedtuple", "sleep"),
}


def _functions(value: Any) -> Iterator[FunctionType]:
    """A function, or those of a class that have names which code can spell."""
    if isinstance(value, FunctionType):
        yield value
    for base in value.__mro__ if isinstance(value, type) else ():
        for name, one in vars(base).items():
            parts = (one.fget, one.fset, one.fdel) if isinstance(one, property) else (getattr(one, "__func__", one),)
            yield from (part for part in parts if isinstance(part, FunctionType) and not name.startswith("_"))


def test_nothing_that_is_handed_out_writes_to_what_it_is_given() -> None:
    """A method can be called with any `self`; what it leaves on the platform's objects is there in the next call."""
    writing = {
        function.__qualname__
        for facade in FACADES.values()
        for value in vars(facade).values()
        for function in _functions(value)
        if any(one.opname in ("STORE_ATTR", "DELETE_ATTR") for one in dis.get_instructions(function))
    }
    assert writing == _WRITING
