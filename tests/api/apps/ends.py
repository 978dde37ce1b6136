"""Ends of calls as an executor reports them, put on the bus by a test: what no call brings about at will."""

import time
from typing import Any

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Finished
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome
from shared.submit import new_task_id


def end(function: Function, outcome: Outcome, *, id: int, took_s: float = 0.012, **fields: Any) -> Finished:
    done = fields.pop("done", None) or time.time()
    timeline = Timeline(
        accepted=done - took_s, routed=done - took_s, picked=done - took_s, started=done - took_s, done=done
    )
    return Finished(
        id=id, task_id=new_task_id(), tenant=function.tenant, function=function.slug, function_id=function.id,
        function_name=function.name, version="1", user=None, timeline=timeline, delivery=1, executor="e",
        outcome=outcome, **{"trigger_type": "http", "method": "GET", "path": "/v1/app/fn/x", **fields},
    )  # fmt: skip


async def report(bus: Bus, event: Finished) -> int:
    """Put it on the bus; its sequence there."""
    subject = subjects.event(event.tenant, event.function, "finished")
    return (await bus.store(subject, event, id=f"{event.task_id}.finished")).sequence
