"""Between what callbacks are signed with and its bodies. Pure."""

from datetime import UTC, datetime

from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import callbacks as wire
from shared.domain.signing_secrets import SigningSecrets


def secrets(found: SigningSecrets) -> wire.CallbackSecrets:
    """At least one, the newest first."""
    rows = [
        wire.CallbackSecret(
            secret=one.secret,
            created_at=_stamp(one.created_at),
            expires_at=_stamp(one.expires_at) if one.expires_at else None,
        )
        for one in found.secrets
    ]
    return wire.CallbackSecrets(secret=rows[0].secret, secrets=rows)


def _stamp(at: float) -> str:
    return stamp(datetime.fromtimestamp(at, UTC))
