"""What a client is told: frames as JSON text. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.triggers.kinds.websocket.frames import Event
from shared import answers
from shared.domain.outcome import Outcome
from shared.domain.request import json_of

HEARTBEAT = '{"type":"heartbeat"}'
FAILED = "Event handler execution failed"
_FIRST_ODD = 300


def connected(app_id: str, role: str, connection_id: str) -> str:
    """The first frame."""
    return _text({"type": "connected", "app_id": app_id, "role": role, "connection_id": connection_id})


def error(message: str, *, id: bytes = b"", **more: object) -> str:
    """What is wrong, with what else is known: `event`, `function`, `reason`."""
    told: dict[str, Any] = {"type": "error", "message": message}
    told |= {name: value for name, value in more.items() if value is not None}
    return _text(told, id)


def about_channel(told: Mapping[str, Any], id: bytes) -> str:
    """What became of a frame about a channel."""
    return _text(dict(told), id)


def no_handler(event: Event) -> str:
    """Nobody is there for it."""
    return error(f"No handler for event: {event.event}", id=event.id, event=event.event)


def failed(event: Event, reason: str, function: str | None) -> str:
    """A function was to handle it, and did not."""
    return error(FAILED, id=event.id, event=event.event, function=function, reason=reason)


def fault_of(outcome: Outcome) -> str:
    """Why an outcome is no answer for a client; empty where it is one."""
    if outcome.status != "SUCCESS":
        return outcome.error_type
    if outcome.response is None:
        return ""
    kept = outcome.response.kept
    was_streamed = kept is not None and kept.body == "lost" and bytes(outcome.result) == b"null"
    return "StreamedAnswer" if outcome.response.streamed or was_streamed else answers.fault_of(outcome.response)


def answered(event: Event, outcome: Outcome, function: str | None, *, replayed: bool = False) -> str:
    """What a function's run ended with; `fault_of` has found nothing wrong with it.

    `replayed` says that an earlier message with the same idempotency key has set it off.
    """
    told: dict[str, Any] = {"type": "event_response", "event": event.event, "data": outcome.result}
    if outcome.response is not None:
        told["data"] = outcome.result if outcome.response.kept else msgspec.Raw(json_of(outcome.response))
        if outcome.response.status >= _FIRST_ODD:
            told["status"] = outcome.response.status
    if function is not None:
        told["function"] = function
    if replayed:
        told["replayed"] = True
    return _text(told, event.id)


def _text(told: dict[str, Any], id: bytes = b"") -> str:
    if id:
        told["id"] = msgspec.Raw(id)
    return msgspec.json.encode(told).decode()
