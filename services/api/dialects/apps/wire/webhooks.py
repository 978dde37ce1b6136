"""Webhooks of functions as bodies, field by field."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.trigger import MAX_SECRET

MAX_OVERLAP_S = 30 * 86_400
OVERLAP_S = 86_400


class Rotate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a rotation. Without a `secret` one is made."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_S)] = OVERLAP_S
    secret: Annotated[str, Meta(min_length=1, max_length=MAX_SECRET)] | UnsetType | None = UNSET


class Secret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A secret that is believed, without itself: since when, where that is known, and until when, where it ends."""

    created_at: str | None
    expires_at: str | None


class Rotated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a rotation; `secret` is there where it was made here, and never again."""

    url: str
    secrets: list[Secret]
    secret: str | UnsetType = UNSET


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A function's webhook; the `url` is without its signature for those who may not develop."""

    url: str
    secrets: list[Secret]
    config: dict[str, Any]
    enabled: bool


class Attempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request at a webhook; `status` is what it was answered, `taskId` the run that it set off."""

    at: str
    source: str
    verdict: str
    reason: str
    delivery_id: str | None
    task_id: str | None
    ip: str | None
    status: int


class Attempts(msgspec.Struct, frozen=True):
    """Requests at a webhook, the newest first."""

    attempts: list[Attempt]
