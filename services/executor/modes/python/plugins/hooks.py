"""The hooks of a plugin: which there are, and how one is called with what its signature names."""

import inspect
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

from services.executor.modes.python.given import GIVEN
from services.executor.modes.python.own_code import is_own
from services.executor.modes.python.plugins.classes import Found, PluginError

# The first one of each kind is meant where none is named.
_HOOKS = {"filter": ("inlet", "outlet", "stream"), "pipe": ("pipe", "pipes"), "action": ("action", "actions")}
# These may be written down as they are, rather than as a method.
_LISTS = frozenset({"pipes", "actions"})
_FIRST = {"stream": "event"}
_WRAPPED = "__wrapped__"  # by functools.wraps
_MOST_WRAPPED = 20
_NONE = object()

Give = Callable[[str], Any]
"""The value of a parameter of `GIVEN`, made when it is asked for."""


class Hook(NamedTuple):
    """One hook of one instance; `first` is what the parameter is called that has no underscores."""

    name: str
    first: str
    value: Any


class _Signature(NamedTuple):
    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    has_more: bool
    has_any_keyword: bool


def hook_of(found: Found, instance: Any, name: Any) -> Hook:
    """The hook of this name, or the usual one for None. Raises PluginError, which says what there is."""
    known = _HOOKS[found.kind]
    wanted = known[0] if name is None else name
    if type(wanted) is not str or wanted not in known:
        raise PluginError(f"the hooks of a class {found.title} are {', '.join(known)}, and not {str(wanted)[:100]!r}")
    value = getattr(instance, wanted, _NONE)
    if value is _NONE or not (callable(value) or wanted in _LISTS):
        has = ", ".join(hook for hook in known if getattr(instance, hook, _NONE) is not _NONE) or "none"
        raise PluginError(f"the class {found.title} has no method '{wanted}'; of the hooks it has: {has}")
    return Hook(wanted, _FIRST.get(wanted, "body"), value)


def call_hook(hook: Hook, body: Any, give: Give) -> Any:
    """What the hook returns; of a list that is written down, itself."""
    if not callable(hook.value):
        return hook.value
    arguments, named = _bound(_signature(hook.value), hook.first, body, give)
    return hook.value(*arguments, **named)


def takes(method: Any, name: str) -> bool:
    """Whether a callable names this parameter."""
    signature = _signature(method)
    return signature is not None and name in signature.positional + signature.keyword


def _signature(hook: Any) -> _Signature | None:
    """What a function or a method of the plugin's names; None for any other thing that can be called."""
    skipped = 0
    for _ in range(_MOST_WRAPPED):
        if isinstance(hook, MethodType):
            hook, skipped = hook.__func__, 1
        elif is_own(hook) and _WRAPPED in hook.__dict__:
            hook = hook.__dict__[_WRAPPED]
        else:
            break
    return _named(hook.__code__, skipped) if isinstance(hook, FunctionType) else None


def _named(code: CodeType, skipped: int) -> _Signature:
    count = code.co_argcount
    return _Signature(
        code.co_varnames[:count][skipped:],
        code.co_varnames[count : count + code.co_kwonlyargcount],
        bool(code.co_flags & inspect.CO_VARARGS),
        bool(code.co_flags & inspect.CO_VARKEYWORDS),
    )


def _bound(signature: _Signature | None, first: str, body: Any, give: Give) -> tuple[list[Any], dict[str, Any]]:
    """By position as far as everything is given, by name from there on: a default is left to stand in between.

    What stands behind `**` is given nothing but a body that no other parameter takes: only what is named is given.
    """
    if signature is None:
        return [body], {}
    named = {name: give(name) for name in signature.positional + signature.keyword if name in GIVEN}
    if first in signature.positional + signature.keyword:
        named[first] = body
    elif signature.positional and signature.positional[0] not in GIVEN:
        named[signature.positional[0]] = body
    elif signature.has_more and not signature.positional:
        return [body], named
    elif signature.has_any_keyword:
        named[first] = body
    arguments = []
    for name in signature.positional:
        if name not in named:
            break
        arguments.append(named.pop(name))
    return arguments, named
