"""Private names (`_cache`): any name of the code may be one; an attribute may be one on the function's own classes.

Of them, only on those whose other bases are open: bases that have no private names and never store under one. So what
is there under such a name is what the function has put there itself, and a private attribute is worth no more than a
public one. Methods that are handed out can be called with any `self`: none may store what is ours under a private name
either. The platform's names end with an underscore, have two of them in a row, or are slots.
"""

import builtins
from collections import OrderedDict, defaultdict, deque
from datetime import tzinfo
from typing import Any
from weakref import WeakSet

# In a class of the platform's own of which that is true, so that classes made of it are open too; no code can spell it.
MARK = "__open_to_private_names__"

_OPEN_BASES = frozenset(
    {kind for name, kind in vars(builtins).items() if isinstance(kind, type) and not name.startswith("_")}
    | {OrderedDict, defaultdict, deque, tzinfo}
)

_open: WeakSet[type] = WeakSet()  # of the functions' own classes


def is_private(name: str) -> bool:
    """Whether it starts with one underscore, and can be no name of the platform, of Python, or of a mangled one."""
    return name.startswith("_") and not name.endswith("_") and "__" not in name


def admit(made: type, own: WeakSet[type]) -> None:
    """Open a class that code has made, one of `own`, if its bases are.

    If they are not, neither it nor a class it is made of may have private names, for they could stand in for those of
    the base. Raises TypeError.
    """
    closed = next((one for one in made.__mro__ if one not in own and not _is_open(one)), None)
    if closed is None:
        _open.add(made)
        return
    parents = [one for one in made.__mro__ if one in own]
    for name in (name for one in parents for name in vars(one) if is_private(name)):
        raise TypeError(f"a class with the base {closed.__name__} cannot have private names, such as {name!r}")
    for one in parents:
        _open.discard(one)


def own(target: Any, name: str) -> Any:
    """The object itself, for a private attribute to be written. Raises AttributeError where it may not have one."""
    kind = type(target)
    if kind in _open or (kind is type and target in _open):
        return target
    title = getattr(target if kind is type else kind, "__name__", "")
    raise AttributeError(
        f"{title}.{name} is private: such names are for the function's own classes, where they have no library's base"
    )


def read_own(target: Any, name: str) -> Any:
    """`target._name` in the source."""
    return getattr(own(target, name), name)


def _is_open(base: type) -> bool:
    return base in _OPEN_BASES or MARK in vars(base)
