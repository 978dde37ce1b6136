"""A base of classes that code can get at and shall make none of."""

from typing import Any


class Closed:
    """The platform's classes say here that they are."""

    __slots__ = ()

    def __init_subclass__(cls, **_: Any) -> None:
        if not cls.__module__.startswith("services."):
            raise TypeError(f"{cls.__mro__[1].__name__} cannot be a base class here")
