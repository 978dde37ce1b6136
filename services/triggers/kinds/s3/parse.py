"""What is told of uploads, in whose words ever: from a body to events."""

from collections.abc import Callable
from typing import Any

import msgspec

from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.tellers import eventbridge, fields, r2, records, seaweedfs
from services.triggers.kinds.s3.tellers.fields import Fields, Malformed

__all__ = ["Malformed", "parse", "read"]

MAX_BYTES = 4 << 20
_MOST_VALUES = 100_000  # a thousand records have some 30,000; all else of the process waits while they are looked at
_WRAPPED = 4  # an SNS message in a queue is wrapped once, what another queue or topic passes on twice

_SHAPES: tuple[tuple[frozenset[str], Callable[[Fields], list[ObjectEvent]]], ...] = (
    (frozenset({"Records"}), records.uploads),
    (frozenset({"detail-type", "detail"}), eventbridge.uploads),
    (frozenset({"event_type", "message"}), seaweedfs.uploads),
    (frozenset({"action", "object", "bucket"}), r2.uploads),
)
# Under which name an envelope has what it carries, as JSON text: that of SNS, and that of a queue's message.
_ENVELOPES = ("Message", "Body", "body")


def parse(body: bytes | str) -> list[ObjectEvent]:
    """The uploads that a body tells of; none where it tells of something else, or is a test. Raises Malformed."""
    return read(_decoded(body))


def read(told: Any) -> list[ObjectEvent]:
    """The same, of a body that is decoded. Raises Malformed."""
    for _ in range(_WRAPPED):
        if not isinstance(told, dict):
            return []
        if fields.is_deep(told):
            raise Malformed("It is nested too deep")
        for shape, uploads in _SHAPES:
            if shape <= told.keys():
                return uploads(told)
        inside = next((told[name] for name in _ENVELOPES if isinstance(told.get(name), str | dict)), None)
        if inside is None:
            return []
        told = _carried(inside) if isinstance(inside, str) else inside
    raise Malformed(f"It is wrapped more than {_WRAPPED - 1} times")


def _decoded(body: bytes | str) -> Any:
    if len(body) > MAX_BYTES:
        raise Malformed(f"It is longer than {MAX_BYTES} bytes")
    try:
        data = body.encode() if isinstance(body, str) else body
        if sum(data.count(sign) for sign in (b"{", b"[", b",")) > _MOST_VALUES:
            raise Malformed(f"It has more than {_MOST_VALUES} values")
        return msgspec.json.decode(data)
    except Malformed:
        raise
    except (ValueError, RecursionError) as fault:
        raise Malformed(f"It is no JSON: {str(fault)[:200]}") from None


def _carried(inside: str) -> Any:
    """What is in an envelope: a message may be any text, and is no upload then."""
    if not inside.lstrip().startswith("{"):
        return None
    return _decoded(inside)
