"""What a client says: the text of a frame in, a message out. Pure."""

from typing import Any, NamedTuple

import msgspec

from shared.domain.idempotency import checked
from shared.domain.problem import Problem

CHANNELS = frozenset({"subscribe", "unsubscribe", "publish"})
"""The types of frames that are about channels."""

_KEY = "idempotency_key"
_NULL = msgspec.Raw(b"null")
_SHOWN = 100  # characters of an unknown type that its sender is told
_MOST_ID_BYTES = 256  # it comes back with every answer
_SCALARS = (str, int, float, bool)
_read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Event(NamedTuple):
    """Something for functions. `event` is None where the whole frame is the payload; `id` is JSON, or empty.

    `key` is an idempotency key, empty where none was sent.
    """

    event: str | None
    payload: bytes
    id: bytes = b""
    key: str = ""


class Control(NamedTuple):
    """A `ping`, or a `heartbeat` that is echoed."""

    answer: str


class Channel(NamedTuple):
    """Something about a channel."""

    message: dict[str, Any]
    id: bytes = b""


class Wrong(NamedTuple):
    """What cannot be understood, and what its sender is told."""

    message: str
    id: bytes = b""


Message = Event | Control | Channel | Wrong

PONG = '{"type":"pong"}'
INVALID = Wrong("Invalid JSON")
NO_EVENT = 'Missing "event" field'


def message_of(text: str) -> Message:
    """What a frame says."""
    try:
        fields = _read(text)
        kind = msgspec.json.decode(fields["type"]) if "type" in fields else None
        id = _id_of(fields.get("id", _NULL))
        if "type" not in fields:
            return Event(None, text.encode(), id)
        if kind == "event":
            return _event(fields, id)
        if kind in ("ping", "heartbeat"):
            return Control(PONG if kind == "ping" else "")
        if isinstance(kind, str) and kind in CHANNELS:
            return Channel(msgspec.json.decode(text), id)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return INVALID
    shown = kind if isinstance(kind, str) else bytes(fields["type"]).decode()
    return Wrong(f"Unknown message type: {shown[:_SHOWN]}", id)


def body_of(event: Event) -> bytes:
    """What a handler is given: `{"event", "payload"}` as JSON."""
    return b'{"event":' + msgspec.json.encode(event.event) + b',"payload":' + event.payload + b"}"


def _event(fields: dict[str, msgspec.Raw], id: bytes) -> Message:
    name = msgspec.json.decode(fields["event"]) if "event" in fields else None
    if not isinstance(name, str) or not name:
        return Wrong(NO_EVENT, id)
    key = msgspec.json.decode(fields.get(_KEY, _NULL))
    if key is not None:
        try:
            key = checked([key if isinstance(key, str) else ""], field=_KEY)
        except Problem as problem:
            return Wrong(problem.message, id)
    return Event(name, bytes(fields.get("payload", _NULL)), id, key or "")


def _id_of(raw: msgspec.Raw) -> bytes:
    """The client's own mark, as it was written; what is no scalar, or too long to be sent back, is none."""
    if len(raw) > _MOST_ID_BYTES:
        return b""
    return bytes(raw) if isinstance(msgspec.json.decode(raw), _SCALARS) else b""
