"""What the executor does for an invocation, as spans: each time it has it in hand, and each run."""

from collections.abc import Awaitable, Callable

from services.executor.mode import Again
from shared import tracing
from shared.bus import streams
from shared.bus.delivery import Delivery, Done, Verdict
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome
from shared.tracing.facts import taken

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
