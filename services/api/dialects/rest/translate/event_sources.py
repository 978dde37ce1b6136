"""Between event sources and their bodies. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from services.api.core.event_sources import SourceDraft
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import event_sources as wire
from shared.domain.event_source import EventSource
from shared.domain.trigger import SHOWN_SECRET


def draft(body: wire.CreateEventSource) -> SourceDraft:
    """The source that a body describes."""
    return SourceDraft(**{field: getattr(body, field) for field in body.__struct_fields__})


def mentioned(body: wire.PatchEventSource) -> dict[str, Any]:
    """What a body mentions, as `EventSources.change` takes it."""
    names = {"enabled": "enabled", "config": "config", "secrets": "given"}
    values = {name: getattr(body, field) for field, name in names.items()}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def source(one: EventSource, *, base: str) -> wire.EventSource:
    """A source. `base` is where the world reaches the triggers."""
    return wire.EventSource(**_fields(one, base))


def new_source(one: EventSource, token: str, *, base: str) -> wire.NewEventSource:
    """A source and its new token."""
    return wire.NewEventSource(**_fields(one, base), token=token or None)


def _fields(one: EventSource, base: str) -> dict[str, Any]:
    status = one.status
    return {
        "name": one.name,
        "public_id": one.public_id,
        "kind": one.kind,
        "enabled": one.enabled,
        "config": one.config,
        "secrets": dict.fromkeys(one.secrets, SHOWN_SECRET),
        "url": f"{base}/events/{one.public_id}" if one.kind == "http" else None,
        "status": wire.EventSourceStatus(
            state=status.state if one.enabled else "stopped",
            since=_stamp(status.since),
            error=status.error if one.enabled else "",
            owner=status.owner,
            last_event_at=_stamp(status.last_event_at),
            events=status.events,
        ),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
