"""The built-in names of a function."""

import builtins
import operator
from typing import Any

from RestrictedPython.Guards import guarded_iter_unpack_sequence, guarded_unpack_sequence, safe_builtins

from services.executor.modes.python import coroutines, guards, private
from services.executor.modes.python.facades import import_facade
from services.executor.modes.python.output import Output
from services.executor.modes.python.printing import Printer
from services.executor.modes.python.response import Response

# RestrictedPython 9.0 leaves these out because they iterate in C, past its `_getiter_` guard; ours guards nothing.
_ITERATING = (
    "all any bytes dict enumerate filter frozenset iter list map max min next reversed set sorted sum tuple zip"
)
_PLAIN = "ascii bin bytearray classmethod format object property staticmethod NotImplemented"
_ERRORS = (
    "ConnectionError ModuleNotFoundError RecursionError StopAsyncIteration TimeoutError PermissionError "
    "FileNotFoundError"
)


def _built_ins() -> dict[str, Any]:
    names = dict(safe_builtins)
    # The address of an object says where the heap is.
    del names["id"]
    for name in f"{_ITERATING} {_PLAIN} {_ERRORS}".split():
        names[name] = getattr(builtins, name)
    names |= {
        "getattr": guards.guarded_getattr,
        "hasattr": guards.guarded_hasattr,
        "setattr": guards.guarded_setattr,
        "delattr": guards.guarded_delattr,
        "type": guards.guarded_type,
    }
    return names | _hooks()


def _hooks() -> dict[str, Any]:
    """What compiled code calls by names that no source can spell."""
    return {
        "__import__": import_facade,
        "__metaclass__": guards.make_class,
        "__name__": "function",
        "_aiter_": coroutines.async_iterable,
        "_apply_": guards.apply,
        "_await_": coroutines.awaitable,
        "_getattr_": guards.read,
        "_getitem_": operator.getitem,
        "_getiter_": iter,
        "_inplacevar_": guards.in_place,
        "_inplaceitem_": guards.in_place_item,
        "_inplaceattr_": guards.in_place_attribute,
        "_iter_unpack_sequence_": guarded_iter_unpack_sequence,
        "_inplaceown_": guards.in_place_own,
        "_own_": private.own,
        "_readown_": private.read_own,
        "_super_": guards.inherited,
        "_unpack_sequence_": guarded_unpack_sequence,
        "_write_": guards.write,
    }


_BUILT_INS = _built_ins()


def fresh_globals(output: Output, context: dict[str, Any]) -> dict[str, Any]:
    """The globals of one call: nothing of the calls before is in them.

    `log` and `Response` are among them rather than built-ins: a function may have a `log` of its own, `math`'s for one.
    """
    return {
        "__builtins__": _BUILT_INS,
        "_print_": Printer(output).print,
        "_printed_": output.text,
        "context": context,
        "log": output.log,
        "Response": Response,
    }
