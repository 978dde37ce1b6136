"""The `traceback` of a function: its own frames, as it is told of an error that it does not catch."""

import sys
from typing import Any, Final

from services.executor.modes.python.current import OUTPUT
from services.executor.modes.python.tracebacks import traceback_text

NO_ERROR: Final = "NoneType: None"
"""What Python prints for the traceback of no exception."""


def text_of(error: BaseException | None) -> str:
    """An exception with the function's own frames, without the line's end."""
    return NO_ERROR if error is None else traceback_text(error)


def format_exc(limit: Any = None, chain: Any = True) -> str:
    """The exception that is being handled."""
    return f"{text_of(sys.exc_info()[1])}\n"


def print_exc(limit: Any = None, file: None = None, chain: Any = True) -> None:
    """As `print` would."""
    error = sys.exc_info()[1]
    _print(error, file)


def format_exception(exc: Any, /, value: Any = None, tb: Any = None, **_: Any) -> list[str]:
    """The lines of an exception."""
    return text_of(_exception(exc, value)).splitlines(keepends=True)


def print_exception(exc: Any, /, value: Any = None, tb: Any = None, *, file: None = None, **_: Any) -> None:
    """As `print` would."""
    _print(_exception(exc, value), file)


def _exception(first: Any, second: Any) -> BaseException | None:
    """It comes alone, or behind its class."""
    found = first if isinstance(first, BaseException) else second
    if found is not None and not isinstance(found, BaseException):
        raise TypeError("an exception was expected")
    return found


def _print(error: BaseException | None, file: None) -> None:
    if file is not None:
        raise TypeError("tracebacks are written to no file here")
    output = OUTPUT.get()
    if output is not None:
        output.write(f"{text_of(error)}\n")


NAMES: dict[str, Any] = {
    "format_exc": format_exc,
    "format_exception": format_exception,
    "print_exc": print_exc,
    "print_exception": print_exception,
}
