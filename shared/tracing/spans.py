"""Spans as OpenTelemetry has them. Loaded only where there are traces.

Messages carry the place where their invocation was submitted. Of its span's id that of the invocation's own span is
made, so that every service knows under which span to put what it did, though it is the recorder that tells of it, when
all is over.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, NamedTuple

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from shared import tracing
from shared.tracing import Facts, Kind, Stage, Trace
from shared.tracing.places import (
    FOLLOWED,
    NOT_KEPT,
    SPAN_ID,
    W3C,
    invocation_id,
    invocation_of,
    kept_id,
    lines_of,
    moved,
    outside,
    place_of,
    told_of,
    under,
)

_KINDS = {kind.name.lower(): kind for kind in SpanKind}
_NOWHERE = Context()
_NS = 1_000_000_000

_carried: ContextVar[SpanContext | None] = ContextVar("carried", default=None)
_followed: ContextVar[SpanContext | None] = ContextVar("followed", default=None)
_dropped: ContextVar[Trace | None] = ContextVar("dropped", default=None)


class Place(NamedTuple):
    """Where a task is: under which span, or in a trace of which nothing is kept."""

    under: Context
    dropped: Trace | None


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
        return kept_id(self._made.get_span_context())


class _Dropped(tracing.Span):
    """One that is not kept, nor is anything under it: what is to be told of it is its place alone."""

    __slots__ = ("_place", "_token")

    def __init__(self, place: Trace) -> None:
        self._place = place

    def __enter__(self) -> "_Dropped":
        self._token = _dropped.set(self._place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _dropped.reset(self._token)


class Spans:
    """Makes them. `ids` is what the provider has its ids of; `closed` is called when no more are made."""

    def __init__(
        self, provider: TracerProvider, ids: Ids, *, version: str, closed: Callable[[], None] = lambda: None
    ) -> None:
        self.provider = provider
        self._closed = closed
        self._ids = ids
        # Then what is under one that is not kept is not kept either, and need not be made.
        self._parents_decide = isinstance(provider.sampler, ParentBased)
        self._tracer = provider.get_tracer("shoal", version)

    def close(self, *, within_s: float) -> None:
        """A collector that does not answer keeps nobody: the thread is left to die with the process."""
        closing = threading.Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(within_s)
        self._closed()

    def _begun(self, made: trace.Span, *, carries: bool = False) -> tracing.Span:
        place = made.get_span_context()
        if self._parents_decide and not place.trace_flags.sampled:
            return _Dropped(told_of(place))
        return _Span(made, carries=carries)

    def span(self, name: str, *, kind: Kind, facts: Facts | None) -> tracing.Span:
        """See `tracing.span`."""
        if _dropped.get() is not None:
            return tracing.NO_SPAN
        return self._begun(self._tracer.start_span(name, kind=_KINDS[kind], attributes=_attributes(facts)))

    def serving(self, name: str, caller: Trace, *, believed: bool) -> tracing.Span:
        """See `tracing.serving`."""
        place = place_of(caller)
        if place is None or believed:
            beginning = _NOWHERE if place is None else under(outside(place))
            return self._begun(self._tracer.start_span(name, context=beginning, kind=SpanKind.SERVER))
        links = [Link(place)]
        return self._begun(self._tracer.start_span(name, context=_NOWHERE, kind=SpanKind.SERVER, links=links))

    def answering(self, name: str, asker: Trace) -> tracing.Span:
        """See `tracing.answering`."""
        place = place_of(asker)
        beginning = _NOWHERE if place is None else under(place)
        return self._begun(self._tracer.start_span(name, context=beginning, kind=SpanKind.SERVER))

    def submitting(self, name: str, began: float, *, facts: Facts | None) -> tracing.Span:
        """See `tracing.submitting`."""
        if _dropped.get() is not None:
            return tracing.NO_SPAN
        made = self._tracer.start_span(
            name, kind=SpanKind.PRODUCER, attributes=_attributes(facts), start_time=_ns(began)
        )
        return self._begun(made, carries=True)

    def attempt(self, name: str, *, facts: Facts | None) -> tracing.Span:
        """See `tracing.attempt`."""
        if _dropped.get() is not None:
            return tracing.NO_SPAN
        before = _followed.get()
        links = [Link(before)] if before is not None else None
        return self._begun(
            self._tracer.start_span(name, kind=SpanKind.CONSUMER, attributes=_attributes(facts), links=links)
        )

    def ended(self, of: Trace, name: str, stages: Sequence[Stage], *, facts: Facts, error_type: str) -> None:
        """See `tracing.ended`."""
        submitted = place_of(of)
        if submitted is None or not stages:
            return
        self._ids.next_span = invocation_id(submitted)
        whole = self._tracer.start_span(
            name, context=under(submitted), attributes=_attributes(facts), start_time=_ns(stages[0].began)
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
        submitted = place_of(of)
        place = _NOWHERE if submitted is None else under(invocation_of(submitted))
        with self.at(Place(place, self._drops(of))):
            yield

    def _drops(self, of: Trace) -> Trace | None:
        """This one, where nothing of it is kept."""
        return of if self._parents_decide and NOT_KEPT.fullmatch(of.parent) else None

    def carry(self, of: Trace) -> None:
        """See `tracing.carry`."""
        if (dropped := self._drops(of)) is not None:
            _dropped.set(dropped)
            return
        place = place_of(of)
        if place is None:
            return
        before = place.trace_state.get(FOLLOWED, "")
        place = outside(place)
        if SPAN_ID.fullmatch(before):
            _followed.set(moved(place, int(before, 16)))
        _carried.set(place)
        context.attach(under(invocation_of(place)))

    def here(self) -> Place:
        """See `tracing.here`."""
        return Place(context.get_current(), _dropped.get())

    @contextmanager
    def at(self, place: Place) -> Iterator[None]:
        """See `tracing.at`."""
        token, dropped = context.attach(place.under), _dropped.set(place.dropped)
        try:
            yield
        finally:
            _dropped.reset(dropped)
            context.detach(token)

    def note(self, facts: Facts) -> None:
        """See `tracing.note`."""
        trace.get_current_span().set_attributes(dict(facts))

    def stamp(self, headers: dict[str, str], *, followed: bool) -> None:
        """See `tracing.stamped`."""
        if (dropped := _dropped.get()) is not None:
            headers.update(lines_of(dropped))
            return
        place = _carried.get()
        if place is None:
            return
        if followed:
            this = trace.get_current_span().get_span_context()
            state = place.trace_state.update(FOLLOWED, trace.format_span_id(this.span_id))
            place = moved(place, place.span_id, state=state)
        W3C.inject(headers, under(place))

    def passed_on(self) -> list[tuple[str, str]]:
        """See `tracing.passed_on`."""
        if (dropped := _dropped.get()) is not None:
            return list(lines_of(dropped).items())
        headers: dict[str, str] = {}
        W3C.inject(headers)
        return list(headers.items())

    def trace_id(self) -> str:
        """That of the current span."""
        return kept_id(trace.get_current_span().get_span_context())

    def trace_id_of(self, of: Trace) -> str:
        """That of another place."""
        place = place_of(of)
        return "" if place is None else kept_id(place)


def _attributes(facts: Facts | None) -> dict[str, Any] | None:
    return None if facts is None else dict(facts)


def _ns(moment: float) -> int:
    return int(moment * _NS)
