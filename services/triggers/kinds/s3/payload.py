"""What a function is told of an upload."""

from typing import Any

import msgspec

from services.triggers.kinds.s3.event import ObjectEvent

RECORD_BYTES = 32 << 10
"""The longest record that is handed on as it was told."""


def payload(event: ObjectEvent, *, source: str, depth: int) -> msgspec.Raw:
    """The params of the run: what is not known is null. `depth` counts the runs that led to this upload."""
    told: dict[str, Any] = {
        "trigger": "s3_upload",
        "bucket": event.bucket,
        "key": event.key,
        "size": event.size if event.size >= 0 else None,
        "etag": event.etag or None,
        "contentType": event.content_type or None,
        "eventName": event.name,
        "eventTime": event.at or None,
        "sequencer": event.sequencer or None,
        "versionId": event.version_id or None,
        "metadata": event.metadata,
        "source": source,
        "depth": depth,
        **_record(event.record),
    }
    return msgspec.Raw(msgspec.json.encode(told))


def _record(record: Any) -> dict[str, Any]:
    try:
        encoded = msgspec.json.encode(record)
    except (ValueError, OverflowError, RecursionError) as fault:
        return {"record": None, "recordDropped": f"it cannot be handed on: {fault}"}
    if len(encoded) > RECORD_BYTES:
        return {"record": None, "recordDropped": f"it has {len(encoded)} bytes, more than {RECORD_BYTES}"}
    return {"record": msgspec.Raw(encoded)}
