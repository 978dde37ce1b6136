"""Places in a trace, as messages and requests carry them and as OpenTelemetry has them. Pure."""

import re

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import tracing
from shared.tracing import Trace

FOLLOWED = "shoal"  # our entry in the state: the try that another one follows
NOT_KEPT = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][02468ace]")
SPAN_ID = re.compile("(?!0{16})[0-9a-f]{16}")
_INVOCATION = 0x53686F616C526E73
W3C = TraceContextTextMapPropagator()


def place_of(of: Trace) -> SpanContext | None:
    """Where it was; None for nowhere, and for what cannot be read."""
    if not of.parent:
        return None
    found = trace.get_current_span(W3C.extract(lines_of(of), Context())).get_span_context()
    return found if found.is_valid else None


def lines_of(of: Trace) -> dict[str, str]:
    """The headers that it came with."""
    return {tracing.PARENT: of.parent, tracing.STATE: of.state} if of.state else {tracing.PARENT: of.parent}


def told_of(place: SpanContext) -> Trace:
    """As headers say it."""
    headers: dict[str, str] = {}
    W3C.inject(headers, under(place))
    return Trace(headers.get(tracing.PARENT, ""), headers.get(tracing.STATE, ""))


def outside(place: SpanContext) -> SpanContext:
    """Without our entry, which is for messages alone, whoever wrote it."""
    state = place.trace_state
    return moved(place, place.span_id, state=state.delete(FOLLOWED)) if FOLLOWED in state else place


def under(place: SpanContext) -> Context:
    """Where a span begins that is a part of it."""
    return trace.set_span_in_context(NonRecordingSpan(place), Context())


def invocation_id(submitted: SpanContext) -> int:
    """The id of the span of the invocation that was submitted there."""
    return submitted.span_id ^ _INVOCATION or _INVOCATION


def invocation_of(submitted: SpanContext) -> SpanContext:
    """Its place."""
    return moved(submitted, invocation_id(submitted))


def moved(place: SpanContext, span_id: int, *, state: TraceState | None = None) -> SpanContext:
    """Another place of the same trace."""
    kept = place.trace_state if state is None else state
    return SpanContext(place.trace_id, span_id, is_remote=True, trace_flags=place.trace_flags, trace_state=kept)


def kept_id(place: SpanContext) -> str:
    """The id of its trace, where that is kept."""
    return trace.format_trace_id(place.trace_id) if place.is_valid and place.trace_flags.sampled else ""
