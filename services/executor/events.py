"""What an execution tells about a dispatch. Pure."""

from typing import Any

from services.executor.links import Loaded, Lost, Told
from services.executor.mode import Again, Call, Host, Live
from services.executor.slots import Asker
from shared import tracing
from shared.bus.delivery import Delivery
from shared.bus.messages import Cut, Dispatch, Finished, Retrying, Started
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome
from shared.domain.request import MAX_PATH, Request
from shared.domain.retry import class_of


def call_of(
    dispatch: Dispatch, loaded: Loaded, *, request: Request | None, host: Host, live: Live | None = None
) -> Call:
    """What the mode is to run. The request is the dispatch's, with its secrets opened."""
    return Call(
        task_id=dispatch.task_id,
        tenant=dispatch.tenant,
        function_id=dispatch.function_id,
        code_hash=dispatch.code_hash,
        artefact=loaded.artefact,
        function=loaded.function,
        params=bytes(dispatch.params),
        context=_context(dispatch),
        limits=dispatch.limits,
        trigger_type=dispatch.trigger_type,
        attempt=dispatch.attempt,
        request=request,
        actor=dispatch.actor,
        streams=request is not None and bool(dispatch.reply_to) and not _is_of_a_function(dispatch),
        depth=dispatch.depth,
        host=host,
        trace=tuple(tracing.passed_on()),
        live=live,
    )


def _is_of_a_function(dispatch: Dispatch) -> bool:
    """Whether another function asks, which takes an answer as a whole."""
    return dispatch.actor is not None and dispatch.actor.kind == "loopback"


def over(live: Told | None, end: Outcome | Again | None) -> None:
    """Tell what takes the lines of a try that it is over, and how many it has written: 0 where nobody can say."""
    outcome = end.outcome if isinstance(end, Again) else end
    said = 0 if outcome is None else outcome.said
    if live is not None:
        live.end(said, whole=said > 0)


def asker(dispatch: Dispatch) -> Asker:
    """Whose call it is, among those who want a slot."""
    return Asker(dispatch.tenant, dispatch.function_id or dispatch.function)


def started(delivery: Delivery[Dispatch], timeline: Timeline, *, executor: str) -> Started:
    """It runs."""
    dispatch = delivery.body
    return Started(
        **_described(dispatch),
        timeline=timeline,
        attempt=dispatch.attempt,
        executor=executor,
        delivery=delivery.count,
    )


def cut(dispatch: Dispatch, lost: Lost, *, found_at: float) -> Cut:
    """A run of it was never heard of again."""
    return Cut(
        **_described(dispatch),
        timeline=timeline(dispatch, picked=0.0, started=lost.started_at, done=found_at),
        attempt=dispatch.attempt,
        executor=lost.executor,
    )


def retrying(dispatch: Dispatch, timeline: Timeline, failed: Outcome, *, due_at: float) -> Retrying:
    """This attempt failed, and another one is to come."""
    return Retrying(
        **_described(dispatch),
        timeline=timeline,
        attempt=dispatch.attempt,
        error=failed.message,
        error_class=class_of(failed.error_type),
        due_at=due_at,
    )


def finished(
    delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline, *, executor: str, mode: str = ""
) -> Finished:
    """It ended."""
    dispatch = delivery.body
    request = dispatch.request
    return Finished(
        **_described(dispatch),
        version=dispatch.version,
        timeline=timeline,
        delivery=delivery.count,
        executor=executor,
        outcome=outcome,
        attempt=dispatch.attempt,
        method=request.method if request else "",
        path=request.path[:MAX_PATH] if request else "",
        callback_url=dispatch.callback_url,
        mode=mode,
    )


def timeline(dispatch: Dispatch, *, picked: float, done: float, started: float = 0.0) -> Timeline:
    """When the stages of it were reached."""
    before = dispatch.timeline
    return Timeline(accepted=before.accepted, routed=before.routed, picked=picked, started=started, done=done)


def _described(dispatch: Dispatch) -> dict[str, Any]:
    """What every event says of its invocation."""
    return {
        "id": dispatch.id,
        "task_id": dispatch.task_id,
        "tenant": dispatch.tenant,
        "function": dispatch.function,
        "function_id": dispatch.function_id,
        "function_name": dispatch.function_name,
        "trigger_type": dispatch.trigger_type,
        "user": dispatch.user,
    }


def _context(dispatch: Dispatch) -> dict[str, Any]:
    """The handler's second argument: function and user, and the user's fields once more at the top."""
    user = dispatch.user
    person = {"id": user.id, "username": user.username, "email": user.email} if user else None
    return {
        "function": {"name": dispatch.function_name, "slug": dispatch.function, "category": dispatch.category},
        "user": person,
        **({**person, "full_name": person["username"]} if person else {}),
    }
