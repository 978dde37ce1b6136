"""The guards that compiled code calls for attributes, items, writes, types and classes.

The compiler has refused every name that starts with an underscore and the names that lead to frames, so constant names
need a look only where an object reads attributes on somebody's behalf.
"""

import operator
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Context
from typing import Any

from RestrictedPython.Guards import safer_getattr_raise

from services.executor.modes.python.coroutines import STEPS
from services.executor.modes.python.ctx import Ctx, Idempotency
from services.executor.modes.python.facades import Facade
from services.executor.modes.python.headers import Headers
from services.executor.modes.python.hints import Hint
from services.executor.modes.python.models.strangers import OF_THE_CORE
from services.executor.modes.python.own_classes import OWN
from services.executor.modes.python.private import admit, is_private, own, read_own
from services.executor.modes.python.request import Request

# str.format and string.Formatter walk attributes by name; `mro` and `register` belong to classes, `obj` of an error is
# the object that failed. `is_safe` of a UUID is an enum member.
_WATCHED = frozenset(
    {"format", "format_map", "get_field", "get_value", "vformat", "Formatter", "mro", "register", "obj", "is_safe"}
)

_WRITABLE = frozenset({dict, list, bytearray, defaultdict, OrderedDict, Counter, deque, Context})

# Their classes make code, modules and functions, or are the platform's own.
_NO_TYPE_OF = (
    Facade,
    Hint,
    Request,
    Headers,
    Ctx,
    Idempotency,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.ModuleType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    *STEPS,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    types.CellType,
    types.MappingProxyType,
    types.GenericAlias,
    types.UnionType,
    *OF_THE_CORE,
)

_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "%=": operator.imod,
    "**=": operator.ipow,
    "<<=": operator.ilshift,
    ">>=": operator.irshift,
    "|=": operator.ior,
    "^=": operator.ixor,
    "&=": operator.iand,
    "//=": operator.ifloordiv,
    "@=": operator.imatmul,
}


class _ReadOnly:
    """Stands in for an object that must not be changed, and says so when it is written to."""

    __slots__ = ("_kind",)
    _kind: str

    def __init__(self, kind: str) -> None:
        object.__setattr__(self, "_kind", kind)

    def _refuse(self, *_: Any) -> None:
        raise TypeError(f"{self._kind} objects cannot be changed here")

    __setattr__ = __delattr__ = __setitem__ = __delitem__ = _refuse


def guarded_getattr(target: Any, name: str, *default: Any) -> Any:
    """The built-in `getattr`: the name comes from the code at run time, so everything is looked at."""
    if type(name) is not str:
        raise TypeError("attribute name must be a string")
    if name in ("format", "format_map") and (isinstance(target, str) or _is_subclass(target, str)):
        raise AttributeError(f"str.{name}() is not available here: use an f-string, % or format(value, spec)")
    if (
        name == "is_safe"
        # `list[int]` is no type, but answers for the one it is made of.
        or (name in ("mro", "register") and isinstance(target, type | types.GenericAlias))
        or (name == "obj" and isinstance(target, BaseException))
    ):
        raise AttributeError(f"attribute {name!r} is not available here")
    if is_private(name):
        return getattr(own(target, name), name, *default)
    return safer_getattr_raise(target, name, *default)  # type: ignore[no-untyped-call,unused-ignore]


def read(target: Any, name: str) -> Any:
    """`target.name` in the source."""
    return guarded_getattr(target, name) if name in _WATCHED else getattr(target, name)


def guarded_hasattr(target: Any, name: str) -> bool:
    """The built-in `hasattr`; a name that is not available is a name that is not there."""
    try:
        guarded_getattr(target, name)
    except (AttributeError, NotImplementedError):
        return False
    return True


def write(target: Any) -> Any:
    """The object itself where the code may change it, else a stand-in that refuses."""
    kind = type(target)
    if kind in _WRITABLE or kind in OWN or (kind is type and target in OWN):
        return target
    return _ReadOnly(kind.__name__)


def guarded_setattr(target: Any, name: str, value: Any) -> None:
    """The built-in `setattr`: without the check of the name it would put magic methods on classes."""
    setattr(_written(target, name), name, value)


def guarded_delattr(target: Any, name: str) -> None:
    """The built-in `delattr`."""
    delattr(_written(target, name), name)


def guarded_type(*arguments: Any) -> type:
    """The built-in `type` of one object; never a metaclass, and never a class that makes code."""
    if len(arguments) != 1:
        raise TypeError("type() takes one object here")
    kind = type(arguments[0])
    if issubclass(kind, type) or kind in _NO_TYPE_OF or type(kind) is not type:
        raise TypeError(f"type() is not available for {kind.__name__} objects")
    return kind


def make_class(name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """The `__metaclass__` of every class statement."""
    for base in bases:
        if type(base) is not type:
            raise TypeError(f"{getattr(base, '__name__', 'this object')} cannot be a base class here")
    made = type(name, bases, body)
    OWN.add(made)
    admit(made, OWN)
    return made


def in_place(sign: str, old: Any, operand: Any) -> Any:
    """`name += operand`: the value to bind."""
    return _IN_PLACE[sign](old, operand)


def in_place_item(sign: str, target: Any, key: Any, operand: Any) -> None:
    """`target[key] += operand`, each part evaluated once."""
    write(target)[key] = _IN_PLACE[sign](target[key], operand)


def in_place_attribute(sign: str, target: Any, name: str, operand: Any) -> None:
    """`target.name += operand`; the compiler has vetted the name."""
    setattr(write(target), name, _IN_PLACE[sign](read(target, name), operand))


def in_place_own(sign: str, target: Any, name: str, operand: Any) -> None:
    """`target._name += operand`."""
    setattr(own(target, name), name, _IN_PLACE[sign](read_own(target, name), operand))


def inherited(kind: type, target: Any, name: str) -> Any:
    """`super().name` in a method of `kind`, to be called; the compiler has vetted the name, or it is `__init__`.

    What it finds is what `Base.name` is, and is bound to an object of the function's own class, or it is a TypeError.
    """
    if name == "__init__" and isinstance(target, type):
        raise TypeError("super().__init__() is for instances")  # of a class it would take any object as its `self`
    above = super(kind, own(target, name) if is_private(name) else target)
    if name in _WATCHED:
        guarded_getattr(target, name)  # only to be refused
    return getattr(above, name)


def apply(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
    """A call with `*` or `**` in it."""
    return function(*arguments, **named)


def _written(target: Any, name: str) -> Any:
    if type(name) is not str or (name.startswith("_") and not is_private(name)):
        raise AttributeError("attribute names must be strings that do not start with an underscore")
    return own(target, name) if is_private(name) else write(target)


def _is_subclass(target: Any, parent: type) -> bool:
    return isinstance(target, type) and issubclass(target, parent)
