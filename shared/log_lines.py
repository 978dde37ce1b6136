"""How the log of a service is written: one JSON object a line, or coloured text in a terminal.

Each line has an `action`, a few words that are always the same (`actions.ACTIONS`), the `service` and its `part`, and,
where it is about an invocation, its `task_id`, `tenant` and `function`; the rest are facts. What libraries log is a
line like any other.
"""

import logging
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar, Token
from typing import Any, Literal, NamedTuple

from shared import tracing

# structlog loads rich, where it is installed, to draw tracebacks: five megabytes a service for what is never drawn.
_HIDDEN = sys.modules.setdefault("rich", None) is None  # type: ignore[arg-type]  # None is how Python hides a module
import structlog  # noqa: E402 - see above

if _HIDDEN:
    del sys.modules["rich"]

Logger = structlog.stdlib.BoundLogger
Format = Literal["auto", "json", "console"]


class About(NamedTuple):
    """The invocation that the work at hand is about: `function` is its slug."""

    task_id: str
    tenant: str
    function: str


_about: ContextVar[About | None] = ContextVar("about", default=None)


def about(one: About) -> Token[About | None]:
    """Lines of this task are about an invocation, until `no_more`."""
    return _about.set(one)


def no_more(token: Token[About | None]) -> None:
    """Lines are about what they were about before."""
    _about.reset(token)


def configure(form: Format, level: str, service: str) -> None:
    """Set up logging for a process; `auto` is text where the standard error output is a terminal, else JSON."""
    terminal = sys.stderr.isatty()
    in_words = form == "console" or (form == "auto" and terminal)
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=terminal)]
        if in_words
        else [structlog.processors.EventRenamer("action"), structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            tracing.into_log,
            _with_invocation,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line in one piece: others write there, too
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # Never more of libraries, whatever the level: the driver of the store would write down documents.
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


def logger(part: str) -> Logger:
    """The logger of one part of a service."""
    log: Logger = structlog.get_logger(part=part)
    return log


def _with_invocation(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say which invocation it is, unless the line does."""
    found = _about.get()
    if found is not None:
        for name, value in zip(About._fields, found, strict=True):
            line.setdefault(name, value)
    return line


class _Libraries(logging.Handler):
    """What libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        log = logger("library")
        facts: dict[str, Any] = {"library": record.name, "said": record.getMessage()}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        (log.error if record.levelno >= logging.ERROR else log.warning)("a library says", **facts)
