"""Event sources as bodies, field by field."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.event_source import SourceKind, SourceState

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
Secret = Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]


class CreateEventSource(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of an event source. What `config` and `secrets` hold is its kind's."""

    name: Name
    kind: SourceKind
    enabled: bool = True
    config: dict[str, Any]
    secrets: dict[str, Secret] = {}


class PatchEventSource(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change: what is absent stays. A `config` is a whole one; of `secrets`, null deletes, *** keeps."""

    enabled: bool | UnsetType = UNSET
    config: dict[str, Any] | UnsetType = UNSET
    secrets: dict[str, Secret | None] | UnsetType = UNSET


class EventSourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a source does: since when it is in this state, why it is failing, which process runs it."""

    state: SourceState
    since: str | None
    error: str
    owner: str
    last_event_at: str | None
    events: int


class EventSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source. `url` is where events are posted to one of kind http; secrets are shown as ***."""

    name: str
    public_id: str
    kind: SourceKind
    enabled: bool
    config: dict[str, Any]
    secrets: dict[str, str]
    url: str | None
    status: EventSourceStatus
    created_at: str
    updated_at: str


class NewEventSource(EventSource, frozen=True, kw_only=True):
    """A source with the token that was just made for those who post to it, which is not shown again."""

    token: str | None
