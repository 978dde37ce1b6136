"""Which Problems a function of the API may raise, as far as its source tells: calls are followed by name and by type.

What a method of the core says in its docstring is as good as raised: it may pass on what the store raises. What hides
behind a variable of unknown type is not seen: this is a lower bound, which is what a test of completeness needs.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

_SAID = re.compile(r"Raises Problem\(([a-z_, ]+)\)")
_FOLLOWED = ("services.api.", "shared.domain.", "shared.submit")


@cache
def raised(function: Callable[..., Any], owner: type | None = None) -> frozenset[str]:
    """The codes of the Problems that are made in a function, or in one that it calls."""
    return frozenset(_codes(function, owner, seen=set()))


def _codes(function: Callable[..., Any], owner: type | None, *, seen: set[Any]) -> Iterator[str]:
    function = inspect.unwrap(function)
    if function in seen or not function.__module__.startswith(_FOLLOWED):
        return
    seen.add(function)
    if function.__module__.startswith("services.api.core.") and (said := _SAID.search(function.__doc__ or "")):
        yield from said[1].split(", ")
    names = {**function.__globals__, **_types(function)}
    if owner is not None:
        names["self"] = owner
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "Problem":
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
            continue
        found, its_owner = _found(node.func, names)
        if inspect.isfunction(found):
            yield from _codes(found, its_owner, seen=seen)


def _found(node: ast.expr, names: dict[str, Any]) -> tuple[Any, type | None]:
    """What an expression names, and the class that it was found in; a value with a known type stands for its class."""
    if isinstance(node, ast.Name):
        return names.get(node.id), None
    if isinstance(node, ast.Attribute):
        within, _ = _found(node.value, names)
        if inspect.isclass(within):
            found = inspect.getattr_static(within, node.attr, None)
            return (found, within) if inspect.isfunction(found) else (_attributes(within).get(node.attr), None)
        if inspect.ismodule(within):
            return getattr(within, node.attr, None), None
    return None, None


@cache
def _attributes(owner: type) -> dict[str, Any]:
    """The types of what a class keeps: annotated, or given to its constructor and kept under a name of its own."""
    known = {name: _plain(hint) for name, hint in _hints(owner).items()}
    maker = owner.__dict__.get("__init__")
    if not inspect.isfunction(maker):
        return known
    given = _types(maker)
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(maker)))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            value = node.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                known[node.targets[0].attr] = maker.__globals__.get(value.func.id)
            elif isinstance(value, ast.Name):
                known[node.targets[0].attr] = given.get(value.id)
    return known


def _types(function: Callable[..., Any]) -> dict[str, Any]:
    return {name: _plain(hint) for name, hint in _hints(function).items() if name != "return"}


def _hints(owner: Any) -> dict[str, Any]:
    try:
        return get_type_hints(owner, include_extras=True)
    except NameError:
        return {}


def _plain(hint: Any) -> Any:
    return _plain(get_args(hint)[0]) if get_origin(hint) is Annotated else get_origin(hint) or hint
