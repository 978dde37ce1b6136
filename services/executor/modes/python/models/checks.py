"""`field_validator`, `model_validator` and the old `validator`: marks on a model's functions."""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from pydantic import ValidationInfo as CoreInfo

from services.executor.modes.python.models.closed import Closed
from services.executor.modes.python.models.errors import ValidationError, core_of

_MODES = ("before", "after", "plain")
_WITH_INFO = 2


class Check(Closed):
    """A function of a model that looks at values. `values`: it wants the fields before, as the old ones do."""

    __slots__ = ("always", "fields", "function", "info", "mode", "values")

    def __init__(
        self, function: Any, mode: str, *, fields: tuple[str, ...] = (), always: bool = False, old: bool = False
    ) -> None:
        # Its class may be had from one of them, so it looks for itself.
        if mode not in _MODES or type(mode) is not str or any(type(name) is not str for name in fields):
            raise TypeError(f"a validator with mode={mode!r} is not available here")
        self.function = function
        self.mode = mode
        self.fields = tuple(fields)
        self.always = bool(always)
        count = _required(function)
        if count not in (1, _WITH_INFO):
            raise TypeError("a validator takes the value, and the validation's info if it wants to")
        self.info = count == _WITH_INFO
        self.values = bool(old)

    def by(self, function: Any) -> "Check":
        """The same check, made by what stands in its place in a class below."""
        return Check(function, self.mode, fields=self.fields, always=self.always, old=self.values)


class ValidationInfo(Closed):
    """What a validator is told beside the value."""

    __slots__ = ("config", "context", "data", "field_name", "mode")

    def __init__(self, info: CoreInfo) -> None:
        self.data = dict(info.data) if info.field_name is not None else {}
        self.field_name = info.field_name
        self.mode = info.mode
        self.context = info.context
        self.config = None


def field_validator(*fields: str, mode: str = "after", check_fields: bool | None = None) -> Callable[[Any], Check]:
    """pydantic's, but for `mode="wrap"`."""
    _check_names(fields)
    if mode not in ("before", "after", "plain"):
        raise TypeError(f"field_validator: mode={mode!r} is not available here")
    return lambda function: Check(_of_class(function), mode, fields=fields)


def model_validator(*, mode: str) -> Callable[[Any], Check]:
    """pydantic's, but for `mode="wrap"`."""
    if mode not in ("before", "after"):
        raise TypeError(f"model_validator: mode={mode!r} is not available here")
    if mode == "before":
        return lambda function: Check(_of_class(function), mode)
    return lambda function: Check(_of_instance(function), mode)


def validator(
    *fields: str,
    pre: bool = False,
    each_item: bool = False,
    always: bool = False,
    check_fields: bool | None = None,
    allow_reuse: bool = False,
) -> Callable[[Any], Check]:
    """The old spelling of `field_validator`."""
    _check_names(fields)
    if each_item:
        raise TypeError("validator: each_item is not available here")
    mode = "before" if pre else "after"
    return lambda function: Check(_of_class(function), mode, fields=fields, always=bool(always), old=True)


def relay(check: Check, kind: type) -> Callable[..., Any]:
    """What pydantic calls: the function is given plain values, and its ValidationErrors are joined to the others."""
    bound = check.function.__get__(None, kind)

    def with_nothing(value: Any) -> Any:
        return _joined(bound, value)

    def with_values(value: Any, info: CoreInfo) -> Any:
        return _joined(bound, value, dict(info.data))

    def with_info(value: Any, info: CoreInfo) -> Any:
        return _joined(bound, value, ValidationInfo(info))

    relayed = with_nothing if not check.info else with_values if check.values else with_info
    # It is in the path of an error where one of several models fits.
    relayed.__name__ = relayed.__qualname__ = _plain(check.function).__name__
    return relayed


def _joined(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except ValidationError as error:
        raise core_of(error) or error from None


def _check_names(fields: tuple[Any, ...]) -> None:
    if not fields or any(type(name) is not str for name in fields):
        raise TypeError("a validator takes the names of its fields, as texts: @field_validator('name')")


def _plain(function: Any) -> Any:
    return function.__func__ if type(function) in (classmethod, staticmethod) else function


def _of_class(function: Any) -> Any:
    plain = _plain(function)
    if type(plain) is not FunctionType:
        raise TypeError("a validator is a function of the model")
    first = plain.__code__.co_varnames[: plain.__code__.co_argcount][:1]
    if plain is not function:
        return function
    if first == ("self",):
        raise TypeError("a validator is a method of the class: put @classmethod below it")
    return classmethod(function) if first == ("cls",) else staticmethod(function)


def _of_instance(function: Any) -> Any:
    if type(function) is not FunctionType:
        raise TypeError("model_validator: mode='after' is for an ordinary method: def check(self)")
    return function


def _required(function: Any) -> int:
    """How many values it must be given by position."""
    code = _plain(function)
    if type(code) is not FunctionType:
        raise TypeError("a validator is a function of the model")
    own = code.__code__
    count: int = own.co_argcount - len(code.__defaults__ or ()) - (type(function) is classmethod)
    return 1 if count == 0 and own.co_flags & inspect.CO_VARARGS else count
