"""`Field` as a function writes it: plain data that pydantic's own `Field` is given later."""

from collections.abc import Callable
from typing import Any, Final

from services.executor.modes.python.models.closed import Closed
from services.executor.modes.python.models.copies import deep
from services.executor.modes.python.models.plain import Foreign, Frozen, NotPlainError, freeze


class Absent:
    """Nothing was given."""


ABSENT: Final = Absent()


class Given(Closed):
    """What `Field(...)` was given."""

    __slots__ = ("default", "factory", "named")

    def __init__(self, default: Any, factory: Callable[..., Any] | None, named: dict[str, Any]) -> None:
        self.default = default
        self.factory = factory
        self.named = named

    def __repr__(self) -> str:
        return "FieldInfo(...)"


def field(default: Any = ABSENT, *, default_factory: Callable[..., Any] | None = None, **named: Any) -> Any:
    """`pydantic.Field`."""
    if default_factory is not None and not callable(default_factory):
        raise TypeError("default_factory must be a function")
    if default_factory is not None and default is not ABSENT and default is not ...:
        raise TypeError("cannot specify both default and default_factory")
    return Given(default, default_factory, named)


class Hidden(Closed):
    """What `PrivateAttr(...)` was given."""

    __slots__ = ("default", "factory")

    def __init__(self, default: Any = ABSENT, *, default_factory: Callable[[], Any] | None = None) -> None:
        self.default = default
        self.factory = default_factory

    def value(self) -> Any:
        """A new one for an instance, or ABSENT."""
        return self.factory() if self.factory is not None else deep(self.default)


def private_attribute(default: Any = ABSENT, *, default_factory: Callable[[], Any] | None = None) -> Any:
    """`pydantic.PrivateAttr`."""
    return Hidden(default, default_factory=default_factory)


def has_default(given: Given) -> bool:
    """Whether a default was given; `...` is none."""
    return given.default is not ABSENT and given.default is not ...


def freeze_given(given: Given, foreign: Foreign | None = None) -> Frozen:
    """All but the factory, as the default and pairs. Raises NotPlainError.

    Code can make one of what `type(Field())` is, so nothing in it is believed.
    """
    if type(given.named) is not dict or any(type(name) is not str for name in given.named):
        raise NotPlainError("Field() takes arguments by their names")
    named = []
    for name, value in given.named.items():
        try:
            named.append((name, freeze(value)))
        except NotPlainError as error:
            raise NotPlainError(f"{name} of Field() must be plain data: {error}") from None
    if not has_default(given):
        return (None, tuple(named))
    try:
        return (freeze(given.default, foreign), tuple(named))
    except NotPlainError as error:
        raise NotPlainError(f"its default must be plain data: {error}") from None
