"""What callbacks are signed with, as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import Meta

MAX_OVERLAP_S = 30 * 86_400
OVERLAP_S = 86_400


class RotateCallbackSecret(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a rotation: for how many seconds the secrets before the new one sign beside it."""

    overlap_s: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_S)] = OVERLAP_S


class CallbackSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that signs, since when, and until when where that is known."""

    secret: str
    created_at: str
    expires_at: str | None


class CallbackSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The secret to verify callbacks with, and all that sign now, the newest first."""

    secret: str
    secrets: list[CallbackSecret]
