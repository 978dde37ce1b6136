"""From commands and events to bulk writes. Pure: the same input gives the same writes, and repeats change nothing."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from shared.bus.delivery import Delivery
from shared.bus.messages import Event, Finished, Invoke, Retrying, Started
from shared.domain.caller import User
from shared.domain.invocation import Status, closed_to
from shared.store.client import Document, Upsert

# Outcome's fields that are empty as a rule, and not stored then.
_RARE = ("stdout", "stderr", "warnings", "error_type", "error", "traceback")


def project(commands: Iterable[Delivery[Invoke]], events: Iterable[Event]) -> list[Upsert]:
    """The writes for one batch: one a task where its command and its end came together, else one each."""
    accepted = {delivery.body.task_id: delivery for delivery in commands}
    writes: list[Upsert] = []
    ended: set[str] = set()
    for event in events:
        if isinstance(event, Finished):
            if event.task_id in ended:
                continue
            ended.add(event.task_id)
            writes.append(_finished(event, accepted.get(event.task_id)))
        elif isinstance(event, Retrying):
            writes.append(_retrying(event))
        else:
            writes.append(_started(event))
    writes.extend(_accepted(delivery) for task_id, delivery in accepted.items() if task_id not in ended)
    return writes


def _accepted(delivery: Delivery[Invoke]) -> Upsert:
    command = delivery.body
    described = _described(command, delivery.sequence) | _asked(command)
    return Upsert({"_id": command.task_id}, {"$set": described, "$setOnInsert": {"status": "PENDING"}})


def _finished(event: Finished, command: Delivery[Invoke] | None) -> Upsert:
    """Written only where no end is on record yet: the first one stands."""
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
    }
    end |= {name: value for name in _RARE if (value := getattr(outcome, name))}
    if outcome.logs:
        end["logs"] = msgspec.json.encode(outcome.logs).decode("utf-8")
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
    return {"params": _text(command.params), **parent, **app}


def _text(json: msgspec.Raw) -> str:
    return bytes(json).decode("utf-8", "replace")


def _when(moment: float) -> datetime | None:
    return datetime.fromtimestamp(moment, UTC) if moment else None
