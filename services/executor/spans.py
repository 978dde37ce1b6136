"""What the executor does for an invocation, as spans: each time it has it in hand, and each run."""

from collections.abc import Awaitable, Callable

from services.executor.mode import Again
from shared import tracing
from shared.bus import streams
from shared.bus.delivery import Delivery, Done, Verdict
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome
from shared.tracing.facts import taken

_ERROR = 400  # statuses of answers from here on

Handle = Callable[[Delivery[Dispatch]], Awaitable[Verdict]]


def traced(handle: Handle, *, pool: str, executor: str) -> Handle:
    """The handler of a pool's work, within a span where there are traces."""
    if not tracing.on:
        return handle

    async def handled(delivery: Delivery[Dispatch]) -> Verdict:
        dispatch = delivery.body
        facts = {
            **taken(dispatch, streams.WORK, count=delivery.count),
            "shoal.pool": pool,
            "shoal.executor": executor,
            "shoal.attempt": dispatch.attempt,
        }
        with tracing.attempt(f"attempt {dispatch.attempt}", facts=facts) as span:
            verdict = await handle(delivery)
            if not isinstance(verdict, Done):
                span.set({"shoal.handed_back": True})
            return verdict

    return handled


def tell(span: tracing.Span, end: Outcome | Again) -> None:
    """How a run ended."""
    outcome = end.outcome if isinstance(end, Again) else end
    span.set({"shoal.status": outcome.status})
    if outcome.failed:
        span.failed(outcome.error_type)


def tell_posted(span: tracing.Span, status: int, *, error_type: str) -> None:
    """How a request went: by the HTTP status of its answer, or, where that is 0, by why there is none."""
    if not tracing.on:
        return
    span.set({"http.request.method": "POST"})
    if status:
        span.set({"http.response.status_code": status})
    if status >= _ERROR:
        span.failed(str(status))
    elif not status:
        span.failed(error_type)
