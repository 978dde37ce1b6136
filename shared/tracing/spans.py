"""Spans as OpenTelemetry has them. Loaded only where there are traces.

Messages carry the place where their invocation was submitted. Of its span's id that of the invocation's own span is
made, so that every service knows under which span to put what it did, though it is the recorder that tells of it, when
all is over.
"""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import tracing
from shared.tracing import Facts, Kind, Stage, Trace

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_FOLLOWED = "shoal"  # our entry in the state: the try that another one follows
_SPAN_ID = re.compile("(?!0{16})[0-9a-f]{16}")
_INVOCATION = 0x53686F616C526E73
_NOWHERE = Context()
_W3C = TraceContextTextMapPropagator()
_NS = 1_000_000_000

_carried: ContextVar[SpanContext | None] = ContextVar("carried", default=None)
_followed: ContextVar[SpanContext | None] = ContextVar("followed", default=None)


class Ids(RandomIdGenerator):
    """Random ids, but for a span whose id is known before."""

    next_span = 0

    def generate_span_id(self) -> int:
        """The one that was asked for, or a random one."""
        asked, self.next_span = self.next_span, 0
        return asked or super().generate_span_id()


class _Span(tracing.Span):
    """One that is kept, or not: its sampler says. It is the current one while it is entered."""

    __slots__ = ("_carries", "_made", "_token", "_token_carried")

    def __init__(self, made: trace.Span, *, carries: bool = False) -> None:
        self._made = made
        self._carries = carries
        self._token: Token[Context] | None = None
        self._token_carried: Token[SpanContext | None] | None = None

    def __enter__(self) -> "_Span":
        self._token = context.attach(trace.set_span_in_context(self._made))
        if self._carries:
            self._token_carried = _carried.set(self._made.get_span_context())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token_carried is not None:
            _carried.reset(self._token_carried)
        if self._token is not None:
            context.detach(self._token)
        if kind is not None:
            self.failed(kind.__name__)
        self._made.end()

    def set(self, facts: Facts) -> None:
        self._made.set_attributes(dict(facts))

    def name(self, name: str) -> None:
        self._made.update_name(name)

    def failed(self, error_type: str) -> None:
        self._made.set_attribute("error.type", error_type)
        self._made.set_status(Status(StatusCode.ERROR))

    @property
    def trace_id(self) -> str:
        return _kept_id(self._made.get_span_context())


class Spans:
    """Makes them. `ids` is what the provider has its ids of; `closed` is called when no more are made."""

    def __init__(
        self, provider: TracerProvider, ids: Ids, *, version: str, closed: Callable[[], None] = lambda: None
    ) -> None:
        self.provider = provider
        self._closed = closed
        self._ids = ids
        self._tracer = provider.get_tracer("shoal", version)

    def close(self, *, within_s: float) -> None:
        """A collector that does not answer keeps nobody: the thread is left to die with the process."""
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(within_s)
        self._closed()

    def span(self, name: str, *, kind: Kind, facts: Facts | None) -> _Span:
        """See `tracing.span`."""
        return _Span(self._tracer.start_span(name, kind=_KINDS[kind], attributes=_attributes(facts)))

    def serving(self, name: str, caller: Trace, *, believed: bool) -> _Span:
        """See `tracing.serving`."""
        place = _place(caller)
        if place is None or believed:
            beginning = _NOWHERE if place is None else _under(_outside(place))
            return _Span(self._tracer.start_span(name, context=beginning, kind=SpanKind.SERVER))
        return _Span(self._tracer.start_span(name, context=_NOWHERE, kind=SpanKind.SERVER, links=[Link(place)]))

    def answering(self, name: str, asker: Trace) -> _Span:
        """See `tracing.answering`."""
        place = _place(asker)
        beginning = _NOWHERE if place is None else _under(place)
        return _Span(self._tracer.start_span(name, context=beginning, kind=SpanKind.SERVER))

    def submitting(self, name: str, began: float, *, facts: Facts | None) -> _Span:
        """See `tracing.submitting`."""
        made = self._tracer.start_span(
            name, kind=SpanKind.PRODUCER, attributes=_attributes(facts), start_time=_ns(began)
        )
        return _Span(made, carries=True)

    def attempt(self, name: str, *, facts: Facts | None) -> _Span:
        """See `tracing.attempt`."""
        before = _followed.get()
        links = [Link(before)] if before is not None else None
        return _Span(self._tracer.start_span(name, kind=SpanKind.CONSUMER, attributes=_attributes(facts), links=links))

    def ended(self, of: Trace, name: str, stages: Sequence[Stage], *, facts: Facts, error_type: str) -> None:
        """See `tracing.ended`."""
        submitted = _place(of)
        if submitted is None or not submitted.trace_flags.sampled or not stages:
            return
        self._ids.next_span = _invocation_id(submitted)
        whole = self._tracer.start_span(
            name, context=_under(submitted), attributes=_attributes(facts), start_time=_ns(stages[0].began)
        )
        beneath = trace.set_span_in_context(whole)
        for stage in stages:
            said = {"shoal.stage": stage.name}
            part = self._tracer.start_span(stage.name, beneath, attributes=said, start_time=_ns(stage.began))
            part.end(_ns(stage.ended))
        if error_type:
            whole.set_attribute("error.type", error_type)
            whole.set_status(Status(StatusCode.ERROR))
        whole.end(_ns(stages[-1].ended))

    def told(self, name: str, began: float, ended: float) -> None:
        """See `tracing.told`."""
        self._tracer.start_span(name, start_time=_ns(began)).end(_ns(ended))

    @contextmanager
    def within(self, of: Trace) -> Iterator[None]:
        """See `tracing.within`."""
        submitted = _place(of)
        with self.at(_NOWHERE if submitted is None else _under(_invocation(submitted))):
            yield

    def carry(self, of: Trace) -> None:
        """See `tracing.carry`."""
        place = _place(of)
        if place is None:
            return
        before = place.trace_state.get(_FOLLOWED, "")
        place = _outside(place)
        if _SPAN_ID.fullmatch(before):
            _followed.set(_moved(place, int(before, 16)))
        _carried.set(place)
        context.attach(_under(_invocation(place)))

    def here(self) -> Context:
        """See `tracing.here`."""
        return context.get_current()

    @contextmanager
    def at(self, place: Context) -> Iterator[None]:
        """See `tracing.at`."""
        token = context.attach(place)
        try:
            yield
        finally:
            context.detach(token)

    def note(self, facts: Facts) -> None:
        """See `tracing.note`."""
        trace.get_current_span().set_attributes(dict(facts))

    def stamp(self, headers: dict[str, str], *, followed: bool) -> None:
        """See `tracing.stamped`."""
        place = _carried.get()
        if place is None:
            return
        if followed:
            this = trace.get_current_span().get_span_context()
            state = place.trace_state.update(_FOLLOWED, trace.format_span_id(this.span_id))
            place = _moved(place, place.span_id, state=state)
        _W3C.inject(headers, _under(place))

    def passed_on(self) -> list[tuple[str, str]]:
        """See `tracing.passed_on`."""
        headers: dict[str, str] = {}
        _W3C.inject(headers)
        return list(headers.items())

    def trace_id(self) -> str:
        """That of the current span."""
        return _kept_id(trace.get_current_span().get_span_context())

    def trace_id_of(self, of: Trace) -> str:
        """That of another place."""
        place = _place(of)
        return "" if place is None else _kept_id(place)


def _place(of: Trace) -> SpanContext | None:
    """Where it was; None for nowhere, and for what cannot be read."""
    if not of.parent:
        return None
    headers = {tracing.PARENT: of.parent, tracing.STATE: of.state} if of.state else {tracing.PARENT: of.parent}
    found = trace.get_current_span(_W3C.extract(headers, Context())).get_span_context()
    return found if found.is_valid else None


def _outside(place: SpanContext) -> SpanContext:
    """Without our entry, which is for messages alone, whoever wrote it."""
    state = place.trace_state
    return _moved(place, place.span_id, state=state.delete(_FOLLOWED)) if _FOLLOWED in state else place


def _under(place: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(place), Context())


def _invocation_id(submitted: SpanContext) -> int:
    return submitted.span_id ^ _INVOCATION or _INVOCATION


def _invocation(submitted: SpanContext) -> SpanContext:
    return _moved(submitted, _invocation_id(submitted))


def _moved(place: SpanContext, span_id: int, *, state: TraceState | None = None) -> SpanContext:
    """Another place of the same trace."""
    kept = place.trace_state if state is None else state
    return SpanContext(place.trace_id, span_id, is_remote=True, trace_flags=place.trace_flags, trace_state=kept)


def _kept_id(place: SpanContext) -> str:
    return trace.format_trace_id(place.trace_id) if place.is_valid and place.trace_flags.sampled else ""


def _attributes(facts: Facts | None) -> dict[str, Any] | None:
    return None if facts is None else dict(facts)


def _ns(moment: float) -> int:
    return int(moment * _NS)
