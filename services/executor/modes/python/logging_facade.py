"""The `logging` of a function: each record is a line of the call's log, as `log` makes one.

There are no handlers: a line goes there and nowhere else. Levels are the call's, and gone with it.
"""

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from services.executor.modes.python.current import OUTPUT
from services.executor.modes.python.models.closed import Closed
from services.executor.modes.python.output import Output
from services.executor.modes.python.traceback_facade import text_of
from services.executor.modes.python.tracebacks import sentence
from shared.domain.outcome import LogLevel

ROOT: Final = "root"

_NUMBERS = {"NOTSET": 0, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_OTHER_NAMES = {"WARN": 30, "FATAL": 50}
_NAMES = {number: name for name, number in _NUMBERS.items()}


class _Records:
    """What one call logs: its loggers, and what they let through, by name."""

    __slots__ = ("disabled", "levels", "loggers", "output")

    def __init__(self, output: Output | None) -> None:
        self.output = output
        self.loggers: dict[str, Logger] = {}
        self.levels: dict[str, int] = {}
        self.disabled = 0


# A call has a context of its own, so none outlives it.
_records: ContextVar[_Records | None] = ContextVar("records", default=None)


def _of_this_call() -> _Records:
    records, output = _records.get(), OUTPUT.get()
    if records is None:
        records = _Records(output)
        if output is not None:  # else the call has ended, and there is nothing to keep it for
            _records.set(records)
    return records


class Logger(Closed):
    """One logger of one call: code that runs on behind its end does not write into the next."""

    __slots__ = ("__records__", "__title__")
    __records__: _Records
    __title__: str

    def __init__(self, name: str, level: Any = 0) -> None:
        if type(name) is not str:
            raise TypeError("the name of a logger is a string")
        self.__records__ = _of_this_call()
        self.__title__ = name
        if level:
            self.setLevel(level)

    def __repr__(self) -> str:
        return f"<Logger {self.__title__} ({getLevelName(self.getEffectiveLevel())})>"

    @property
    def name(self) -> str:
        """Dots in it make it the child of another."""
        return self.__title__

    @property
    def level(self) -> int:
        """As it was set; 0 where it was not."""
        return self.__records__.levels.get(self.__title__, 0)

    def getChild(self, suffix: str) -> "Logger":  # noqa: N802 - as in logging
        """The logger of this name below it."""
        return getLogger(suffix if self.__title__ == ROOT else f"{self.__title__}.{suffix}")

    def setLevel(self, level: Any) -> None:  # noqa: N802 - as in logging
        """What is below is left out, of this logger and of those below it, for the rest of the call."""
        self.__records__.levels[self.__title__] = _number(level)

    def getEffectiveLevel(self) -> int:  # noqa: N802 - as in logging
        """Its own level, or that of the nearest logger above which has one: 0 where none has."""
        levels, name = self.__records__.levels, self.__title__
        while name:
            if levels.get(name):
                return levels[name]
            name = name.rpartition(".")[0]
        return levels.get(ROOT, 0)

    def isEnabledFor(self, level: Any) -> bool:  # noqa: N802 - as in logging
        """Whether such a line would be kept."""
        number = _number(level)
        return number > self.__records__.disabled and number >= self.getEffectiveLevel()

    def hasHandlers(self) -> bool:  # noqa: N802 - as in logging
        """Its lines are in the log of the call."""
        return True

    def log(self, level: int, msg: object, *args: Any, **options: Any) -> None:
        """A line, unless its level is below that of the logger. `args` go into the message by `%`."""
        if type(level) is not int:
            raise TypeError("level must be an integer")
        _write(self, level, msg, args=args, options=options)

    def debug(self, msg: object, *args: Any, **options: Any) -> None:
        """At the level DEBUG."""
        _write(self, 10, msg, args=args, options=options)

    def info(self, msg: object, *args: Any, **options: Any) -> None:
        """At the level INFO."""
        _write(self, 20, msg, args=args, options=options)

    def warning(self, msg: object, *args: Any, **options: Any) -> None:
        """At the level WARNING."""
        _write(self, 30, msg, args=args, options=options)

    def error(self, msg: object, *args: Any, **options: Any) -> None:
        """At the level ERROR."""
        _write(self, 40, msg, args=args, options=options)

    def critical(self, msg: object, *args: Any, **options: Any) -> None:
        """At the level CRITICAL."""
        _write(self, 50, msg, args=args, options=options)

    def exception(self, msg: object, *args: Any, exc_info: Any = True, **options: Any) -> None:
        """At the level ERROR, with the traceback of the exception that is being handled."""
        _write(self, 40, msg, args=args, options={**options, "exc_info": exc_info})

    warn = warning
    fatal = critical


def getLogger(name: str | None = None) -> Logger:  # noqa: N802 - as in logging
    """The logger of this name; within a call it is the same one."""
    title = ROOT if name is None or name == "" else name
    if type(title) is not str:
        raise TypeError("the name of a logger is a string")
    loggers = _of_this_call().loggers
    if title not in loggers:
        loggers[title] = Logger(title)
    return loggers[title]


def getLevelName(level: Any) -> Any:  # noqa: N802 - as in logging
    """The name of a number, and the number of a name."""
    known = _NAMES.get(level) if type(level) is int else _number_of(level)
    return f"Level {level}" if known is None else known


def disable(level: Any = 50) -> None:
    """Leave out what is at this level or below, of all loggers, for the rest of the call."""
    _of_this_call().disabled = _number(level)


def basicConfig(**_: Any) -> None:  # noqa: N802 - as in logging
    """Nothing: where lines go is not for the function to say."""


def _write(logger: Logger, level: int, msg: object, *, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    unknown = options.keys() - {"exc_info", "extra", "stack_info", "stacklevel"}
    if unknown:
        raise TypeError(f"unexpected argument {min(unknown)!r}")
    output = logger.__records__.output
    if output is not None and logger.isEnabledFor(level):
        message = _message(msg, args) + _trace(options.get("exc_info"))
        _keep(output, level, message=message, extra=options.get("extra"))


def _message(msg: object, args: tuple[Any, ...]) -> str:
    """As logging puts it together; one that does not fit is no reason for a function to fail there either."""
    text = str(msg)
    if type(text) is not str:  # it could answer to `%` as it likes
        raise TypeError("the message has no plain text")
    if not args:
        return text
    try:
        return text % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the texts of its objects raise
        return f"{text} (its arguments do not fit: {sentence(error)})"


def _trace(wanted: Any) -> str:
    if not wanted:
        return ""
    if type(wanted) is tuple:
        error = next((one for one in wanted if isinstance(one, BaseException)), None)
    else:
        error = wanted if isinstance(wanted, BaseException) else sys.exc_info()[1]
    return f"\n{text_of(error)}"


def _keep(output: Output, level: int, *, message: str, extra: Any) -> None:
    kept = _platform_level(level)
    try:
        output.log(message, kept, extra)
    except TypeError:
        output.log(f"{message} (its extra is not JSON)", kept)


def _platform_level(number: int) -> LogLevel:
    if number >= _NUMBERS["ERROR"]:
        return "error"
    if number >= _NUMBERS["WARNING"]:
        return "warning"
    return "info" if number >= _NUMBERS["INFO"] else "debug"


def _number(level: Any) -> int:
    number = level if type(level) is int else _number_of(level)
    if number is None:
        raise ValueError(f"Unknown level: {str(level)[:50]!r}")
    return number


def _number_of(level: Any) -> int | None:
    if type(level) is not str:
        raise TypeError("a level is a whole number or its name")
    return (_NUMBERS | _OTHER_NAMES).get(level)


def _of_the_root(name: str) -> Any:
    def write(msg: object, *args: Any, **options: Any) -> None:
        getattr(getLogger(), name)(msg, *args, **options)

    return write


_METHODS = "critical debug error exception fatal info log warn warning"

NAMES: dict[str, Any] = (
    _NUMBERS
    | _OTHER_NAMES
    | {name: _of_the_root(name) for name in _METHODS.split()}
    | {
        "Logger": Logger,
        "basicConfig": basicConfig,
        "disable": disable,
        "getLevelName": getLevelName,
        "getLogger": getLogger,
    }
)
