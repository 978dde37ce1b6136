"""Between API tokens and their bodies. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from services.api.core.tokens import Draft, Shown
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import tokens as wire


def draft(body: wire.CreateToken) -> Draft:
    """The token that a body describes."""
    return Draft(**msgspec.structs.asdict(body))


def token(shown: Shown) -> wire.Token:
    """A token."""
    return wire.Token(**_fields(shown))


def new_token(shown: Shown, secret: str) -> wire.NewToken:
    """A token just made."""
    return wire.NewToken(**_fields(shown), token=secret)


def _fields(shown: Shown) -> dict[str, Any]:
    one = shown.token
    return {
        "id": one.id,
        "name": one.name,
        "user": one.user_id,
        "username": shown.username,
        "role": one.role,
        "scopes": sorted(one.scopes),
        "expires_at": _stamp(one.expires_at),
        "revoked_at": _stamp(one.revoked_at),
        "created_at": stamp(one.created_at),
        "last_used_at": _stamp(one.last_used_at),
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
