"""Invocations that are on record, as spans: the whole, from its acceptance on, and its stages one after the other.

The recorder alone knows them all, and which end stands. What the services did meanwhile they tell themselves.
"""

from collections.abc import Iterable

from shared import tracing
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.domain.invocation import Timeline
from shared.tracing import Stage
from shared.tracing.facts import facts_of


def tell(ends: Iterable[Delivery[Finished]], *, began: float, recorded: float) -> None:
    """These have ended; they were written down from `began` until `recorded`, Unix seconds."""
    for delivery in ends:
        if not tracing.trace_id(delivery.trace):
            continue
        end = delivery.body
        outcome = end.outcome
        tracing.ended(
            delivery.trace,
            f"invocation {end.function}",
            stages_of(end.timeline, recorded=recorded),
            facts={
                **facts_of(end),
                "shoal.status": outcome.status,
                "shoal.attempt": end.attempt,
                "shoal.version": end.version,
            },
            error_type=outcome.error_type if outcome.failed else "",
        )
        with tracing.within(delivery.trace):
            tracing.told("write record", began, recorded)


def stages_of(timeline: Timeline, *, recorded: float) -> list[Stage]:
    """Each from the end of the one before: together they are the whole. Pure.

    Clocks of several machines may differ: none ends before it begins. What was not reached is no stage.
    """
    reached = {
        "routed": timeline.routed,
        "picked": timeline.picked,
        "started": timeline.started,
        "done": timeline.done,
        "recorded": recorded,
    }
    stages: list[Stage] = []
    before = timeline.accepted
    for name, moment in reached.items():
        if moment:
            stages.append(Stage(name, before, max(before, moment)))
            before = stages[-1].ended
    return stages
