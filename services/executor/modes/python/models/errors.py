"""The ValidationError that a function sees: a ValueError with pydantic's own words, and plain data."""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pydantic
import pydantic_core
from pydantic_core import ValidationError as CoreValidationError

_PLAIN = (
    str,
    int,
    float,
    bool,
    type(None),
    Decimal,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
T = TypeVar("T")

_PANICS = "pyo3_runtime"
"""The module of what the core raises where it does not go on; the class has no other name to be had by."""
_LINK = "\n\nFor further information visit "


class ValidationError(ValueError):
    """Values do not fit a model; the text is pydantic's."""

    # Not a slot: an exception of this class may be the base of one of the function's own.
    __core__: CoreValidationError | None = None

    @property
    def title(self) -> str:
        """The model's."""
        return self.__core__.title if self.__core__ is not None else ""

    def error_count(self) -> int:
        """How many values are wrong."""
        return self.__core__.error_count() if self.__core__ is not None else 0

    def errors(
        self, *, include_url: bool = True, include_context: bool = True, include_input: bool = True
    ) -> list[dict[str, Any]]:
        """What is wrong, one dict a value: type, loc, msg, input, ctx, url."""
        if self.__core__ is None:
            return []
        told = self.__core__.errors(
            include_url=bool(include_url), include_context=bool(include_context), include_input=bool(include_input)
        )
        return [_plain(dict(error)) for error in told]

    def json(self, *, indent: int | None = None) -> str:
        """The errors as JSON."""
        if self.__core__ is None:
            return "[]"
        return self.__core__.json(indent=indent)

    def __str__(self) -> str:
        return super().__str__() if self.__core__ is None else str(self.__core__)

    def __repr__(self) -> str:
        return super().__repr__() if self.__core__ is None else str(self.__core__)


def _plain(error: dict[str, Any]) -> dict[str, Any]:
    context = error.get("ctx")
    if context is not None:
        error["ctx"] = {name: value if type(value) in _PLAIN else str(value) for name, value in context.items()}
    return error


def ours(core: CoreValidationError) -> ValidationError:
    """The same, as the function sees it."""
    made = ValidationError()
    made.__core__ = core
    return made


def core_of(error: ValidationError) -> CoreValidationError | None:
    """What pydantic said; None for one that the function made itself."""
    return error.__core__


def seen(act: Callable[..., T], *given: Any, **named: Any) -> T:
    """What `act` returns. What it raises of pydantic's own classes is raised as ours, or as a built-in class."""
    try:
        return act(*given, **named)
    except CoreValidationError as error:
        raise ours(error) from None
    except pydantic_core.PydanticSerializationError as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        if isinstance(error, pydantic_core.SchemaError | pydantic.errors.PydanticErrorMixin):
            raise TypeError(told(error)) from None
        raise
    except BaseException as error:
        if type(error).__module__ != _PANICS:
            raise
        # A dict that changes while the core looks through it is enough; as it is, it would end all that goes on.
        raise RuntimeError(f"pydantic gave up: {told(error)}") from None


def told(error: BaseException) -> str:
    """The error's text, without where objects lie in memory and without a link."""
    return _ADDRESS.sub("", str(error).partition(_LINK)[0])
