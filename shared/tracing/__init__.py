"""Traces: what was done for an invocation, and when, as spans that a collector is sent; or nothing of it, for nothing.

The only door to OpenTelemetry, which `start` loads. Where it was not called, `on` is False, no header is written, and
every function here returns at once; whoever would have to make facts for one looks at `on` before.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shared.domain.request import TRACE_HEADERS

if TYPE_CHECKING:
    from shared.tracing.spans import Spans

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Facts = Mapping[str, str | bool | int | float]

PARENT, STATE = TRACE_HEADERS

on = False
"""Whether this process has traces."""

_spans: "Spans | None" = None


class Trace(NamedTuple):
    """The place in a trace that a message or a request came with, as W3C's two headers say it; empty for none."""

    parent: str = ""
    state: str = ""


NONE = Trace()


class Stage(NamedTuple):
    """A part of what is over: its name, and when it began and ended, Unix seconds."""

    name: str
    began: float
    ended: float


class Span:
    """What is done while it is entered. This one is none."""

    __slots__ = ()

    def __enter__(self) -> "Span":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def set(self, facts: Facts) -> None:
        """What is known of it by now."""

    def name(self, name: str) -> None:
        """What it is called, known by now."""

    def failed(self, error_type: str) -> None:
        """It came to no good end. No sentence: one might say what is secret."""

    @property
    def trace_id(self) -> str:
        """That of its trace; empty where it is not kept."""
        return ""


NO_SPAN = Span()
_NOWHERE = nullcontext()


def start(service: str, *, trouble: Callable[[str], None]) -> None:
    """Have traces from now on; where they go to, and how many, OpenTelemetry reads from its own variables.

    `trouble` is told what went wrong on the way to the collector. Raises ConfigError for a number that cannot be read.
    """
    global _spans, on  # noqa: PLW0603 - one for the process, like the logger
    from shared.tracing import numbers

    numbers.check(os.environ)
    from shared.tracing.exporting import exporting

    _spans = exporting(service, trouble=trouble)
    on = True


def stop(*, within_s: float) -> None:
    """Send what was not sent yet, for so long at most; no more traces."""
    global _spans, on
    if _spans is not None:
        _spans.close(within_s=within_s)
    _spans, on = None, False


def span(name: str, *, kind: Kind = "internal", facts: Facts | None = None) -> Span:
    """Something that is done, as a part of whatever this task is doing."""
    return NO_SPAN if _spans is None else _spans.span(name, kind=kind, facts=facts)


def serving(name: str, caller: Trace, *, believed: bool) -> Span:
    """A request that is served. Its sender's trace goes on where he is `believed`, else it is only linked to."""
    return NO_SPAN if _spans is None else _spans.serving(name, caller, believed=believed)


def answering(name: str, asker: Trace) -> Span:
    """A question of another service is answered."""
    return NO_SPAN if _spans is None else _spans.answering(name, asker)


def submitting(name: str, began: float, *, facts: Facts | None = None) -> Span:
    """An invocation is submitted since `began`, Unix seconds: what is stored meanwhile carries its place."""
    return NO_SPAN if _spans is None else _spans.submitting(name, began, facts=facts)


def attempt(name: str, *, facts: Facts | None = None) -> Span:
    """A try of the invocation whose message this task handles. It is linked to the one before."""
    return NO_SPAN if _spans is None else _spans.attempt(name, facts=facts)


def ended(of: Trace, name: str, stages: Sequence[Stage], *, facts: Facts, error_type: str = "") -> None:
    """An invocation is over, of which the messages carried `of`: it and its stages, one after the other, as spans."""
    if _spans is not None:
        _spans.ended(of, name, stages, facts=facts, error_type=error_type)


def told(name: str, began: float, ended: float) -> None:
    """Something that was done between these moments, Unix seconds, as a part of whatever this task is doing."""
    if _spans is not None:
        _spans.told(name, began, ended)


def within(of: Trace) -> AbstractContextManager[None]:
    """While it is entered, what is done belongs to the invocation whose messages carried `of`."""
    return _NOWHERE if _spans is None else _spans.within(of)


def carry(of: Trace) -> None:
    """From now on this task handles a message that came with `of`, and what it stores on the bus carries it on."""
    if _spans is not None:
        _spans.carry(of)


def here() -> Any:
    """The place of this task, for `at` in another one."""
    return None if _spans is None else _spans.here()


def at(place: Any) -> AbstractContextManager[None]:
    """While it is entered, what is done belongs to that place."""
    return _NOWHERE if _spans is None or place is None else _spans.at(place)


def note(facts: Facts) -> None:
    """What is known by now of whatever this task is doing."""
    if _spans is not None:
        _spans.note(facts)


def came_with(headers: Mapping[str, str] | None) -> Trace:
    """What the headers of a message say."""
    if _spans is None or not headers or PARENT not in headers:
        return NONE
    return Trace(headers[PARENT], headers.get(STATE, ""))


def stamped(headers: dict[str, str], *, followed: bool = False) -> dict[str, str]:
    """The headers of a message, with what this task carries; `followed` by another try, which is to know this one."""
    if _spans is not None:
        _spans.stamp(headers, followed=followed)
    return headers


def passed_on() -> list[tuple[str, str]]:
    """The header lines that tell another program its place in the trace; none where there is no trace."""
    return [] if _spans is None else _spans.passed_on()


def trace_id(of: Trace | None = None) -> str:
    """The trace of whatever this task is doing, or that `of` is in; empty where there is none, or it is not kept."""
    if _spans is None:
        return ""
    return _spans.trace_id() if of is None else _spans.trace_id_of(of)


def into_log(_logger: Any, _method: str, event: Any) -> Any:
    """Log lines say of which trace they are: a processor of structlog."""
    if _spans is not None and (found := _spans.trace_id()):
        event["trace_id"] = found
    return event


def provider() -> Any:
    """OpenTelemetry's, for a library that makes spans of its own; None where there is none."""
    return None if _spans is None else _spans.provider
