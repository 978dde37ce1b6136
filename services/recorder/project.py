"""From commands and events to bulk writes. Pure: the same input gives the same writes, and repeats change nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from shared.bus.delivery import Delivery
from shared.bus.messages import Cut, Event, Finished, Invoke, Retrying, Started
from shared.domain.caller import User
from shared.domain.invocation import Status, closed_to
from shared.domain.metrics import duration_us
from shared.domain.request import MAX_PATH, Request
from shared.domain.retry import ErrorClass
from shared.store.client import Document, Upsert

# Outcome's fields that are empty as a rule, and not stored then.
_RARE = ("stdout", "stderr", "warnings", "error_type", "error", "traceback")
MAX_BODY_BYTES = 64 << 10
_NO_PARAMS = "{}"


def ends(events: Iterable[Delivery[Event]]) -> list[Delivery[Finished]]:
    """The ends among the events, the first one of each task."""
    found: dict[str, Delivery[Any]] = {}
    for delivery in events:
        if isinstance(delivery.body, Finished):
            found.setdefault(delivery.body.task_id, delivery)
    return list(found.values())


def project(
    commands: Iterable[Delivery[Invoke]],
    events: Sequence[Delivery[Event]],
    kept_s: Mapping[str, float] = MappingProxyType({}),
) -> list[Upsert]:
    """The writes for one batch: one a task where its command and its end came together, else one each.

    Those of the `ends` come first, in their order. `kept_s` says of tenants for how many seconds a record is kept after
    its end; it is for good of one that is not there.
    """
    accepted = {delivery.body.task_id: delivery for delivery in commands}
    ended = ends(events)
    writes = [_finished(end, accepted.pop(end.body.task_id, None), kept_s.get(end.body.tenant, 0.0)) for end in ended]
    for delivery in events:
        event = delivery.body
        if isinstance(event, Retrying):
            writes += [_retrying(event), _tried(event)]
        elif isinstance(event, Cut):
            writes.append(_cut(event))
        elif isinstance(event, Started):
            writes.append(_started(event))
    writes.extend(_accepted(delivery) for delivery in accepted.values())
    return writes


def _accepted(delivery: Delivery[Invoke]) -> Upsert:
    command = delivery.body
    described = _described(command, command.id or delivery.sequence) | _asked(command)
    return Upsert({"_id": command.task_id}, {"$set": described, "$setOnInsert": {"status": "PENDING"}})


def _finished(delivery: Delivery[Finished], command: Delivery[Invoke] | None, kept_s: float) -> Upsert:
    """Written only where no end is on record yet: the first one stands. `event` says which one it is."""
    event = delivery.body
    outcome, timeline = event.outcome, event.timeline
    end: Document = {
        **_described(event, event.id),
        "status": outcome.status,
        "result": _text(outcome.result),
        "version": event.version,
        "executor": event.executor,
        "delivery": event.delivery,
        "attempts": event.attempt,
        "cpu_s": outcome.usage.cpu_s,
        "peak_bytes": outcome.usage.peak_bytes,
        "routed_at": _when(timeline.routed),
        "picked_at": _when(timeline.picked),
        "started_at": _when(timeline.started),
        "done_at": _when(timeline.done),
        "event": delivery.sequence,
    }
    end |= {name: value for name in _RARE if (value := getattr(outcome, name))}
    if event.method:
        end |= {"method": event.method, "path": event.path, "status_code": outcome.status_code}
        if outcome.response is not None and outcome.response.kept is not None:
            end["answer"] = msgspec.to_builtins(outcome.response.kept)
    if (took_us := duration_us(timeline)) is not None:
        end["duration_us"] = took_us
    if outcome.failed:
        end["failed"] = True
    if outcome.printed and outcome.stdout:
        end["printed"] = msgspec.to_builtins(outcome.printed)
    if outcome.logs:
        end["logs"] = msgspec.json.encode(outcome.logs).decode("utf-8")
    if kept_s:
        end["forget_at"] = _when(timeline.done + kept_s)
    query: Document = {"_id": event.task_id, "status": {"$nin": closed_to(outcome.status)}}
    if command is None:
        return Upsert(query, {"$set": end})
    end |= _asked(command.body)
    return Upsert(query, {"$set": end}, {"_id": event.task_id, **end})


def _started(event: Started) -> Upsert:
    """An end that is on record stays, also one of this attempt."""
    running = {
        **_described(event, event.id),
        "status": "STARTED",
        "started_at": _when(event.timeline.started),
        "attempts": event.attempt - 1,
        "executor": event.executor,
        "delivery": event.delivery,
    }
    return Upsert(_before("STARTED", event), {"$set": running})


def _retrying(event: Retrying) -> Upsert:
    """The writes of a batch are done in no order: the count of attempts says which of a task is the newest."""
    waiting = {
        **_described(event, event.id),
        "status": "RETRY",
        "attempts": event.attempt,
        "last_error": event.error,
        "retry_at": _when(event.due_at),
    }
    return Upsert(_before("RETRY", event), {"$set": waiting})


def _tried(event: Retrying) -> Upsert:
    """Beside the other: that an attempt has ended is true whatever has become of the task since."""
    return _try(event, str(event.attempt), error_class=event.error_class, error=event.error, due_at=event.due_at)


def _cut(event: Cut) -> Upsert:
    """The attempt goes on, in another run. When this one began tells it from others of the same attempt."""
    name = f"{event.attempt}-{event.timeline.started * 1000:.0f}"
    error = f"ExecutorLost: {event.executor} was not heard of again while it ran this"
    return _try(event, name, error_class="infrastructure", error=error, due_at=0.0)


def _try(event: Retrying | Cut, name: str, *, error_class: ErrorClass, error: str, due_at: float) -> Upsert:
    tried = {
        "attempt": event.attempt,
        "started_at": _when(event.timeline.started),
        "done_at": _when(event.timeline.done),
        "error_class": error_class,
        "error": error,
        "due_at": _when(due_at),
    }
    return Upsert({"_id": event.task_id}, {"$set": {**_described(event, event.id), f"tries.{name}": tried}})


def _before(then: Status, event: Started | Retrying) -> Document:
    """The record, unless it says more than the event does."""
    attempts = {"$not": {"$gte": event.attempt}}
    return {"_id": event.task_id, "status": {"$nin": closed_to(then)}, "attempts": attempts}


def _described(source: Invoke | Event, id: int) -> Document:
    accepted = source.accepted_at if isinstance(source, Invoke) else source.timeline.accepted
    user: User | None = source.user
    return {
        "id": id,
        "tenant": source.tenant,
        "function_id": source.function_id,
        "function_name": source.function_name,
        "function_slug": source.function,
        "trigger_type": source.trigger_type,
        "user_id": user.id if user else None,
        "user_username": user.username if user else None,
        "created_at": _when(accepted),
    }


def _asked(command: Invoke) -> Document:
    """What the command alone knows."""
    parent: Document = {"parent_task_id": command.parent_task_id} if command.parent_task_id else {}
    app: Document = {"app_slug": command.app_slug} if command.app_slug else {}
    few: Document = {name: value for name in ("callback_url", "redrive_of") if (value := getattr(command, name))}
    if command.expires_at:
        few["expires_at"] = _when(command.expires_at)
    request = command.request
    if request is None:
        return {"params": _text(command.params), **parent, **app, **few}
    asked = {"params": _body(request), "method": request.method, "path": request.path[:MAX_PATH]}
    return {**asked, **parent, **app, **few}


def _body(request: Request) -> str:
    """The body of a request where that is JSON, and not too long to be kept beside every call; else nothing."""
    if not request.body or len(request.body) > MAX_BODY_BYTES:
        return _NO_PARAMS
    try:
        msgspec.json.decode(request.body, type=msgspec.Raw)
        return request.body.decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_PARAMS


def _text(json: msgspec.Raw) -> str:
    return bytes(json).decode("utf-8", "replace")


def _when(moment: float) -> datetime | None:
    return datetime.fromtimestamp(moment, UTC) if moment else None
