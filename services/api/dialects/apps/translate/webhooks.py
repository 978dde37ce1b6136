"""Between the webhooks of functions and their bodies. Pure."""

from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import UNSET

from services.api.core.triggers import shown
from services.api.core.webhooks import Attempt, Webhook
from services.api.dialects.apps.translate.stamps import maybe, stamp
from services.api.dialects.apps.wire import webhooks as wire
from shared.domain.app import App
from shared.domain.function import Function
from shared.domain.signing_secrets import SigningSecrets


def url(app: App, function: Function, *, base: str, signature: str) -> str:
    """Where a function's webhook is reached; without a signature it says only where."""
    name = quote(function.deployed_as or function.name, safe="")
    return f"{base}/v1/{app.public_id}/webhook/{name}{'?sig=' if signature else ''}{signature}"


def webhook(found: Webhook, *, base: str) -> wire.Webhook:
    """A function's webhook."""
    [trigger] = [trigger for trigger in shown(found.function) if trigger.type == "webhook"]
    return wire.Webhook(
        url=url(found.app, found.function, base=base, signature=found.signature),
        secrets=_secrets(found.secrets),
        config=trigger.config,
        enabled=trigger.enabled,
    )


def rotated(found: Webhook, *, base: str) -> wire.Rotated:
    """The answer to a rotation."""
    return wire.Rotated(
        url=url(found.app, found.function, base=base, signature=found.signature),
        secrets=_secrets(found.secrets),
        secret=found.generated or UNSET,
    )


def attempt(one: Attempt) -> wire.Attempt:
    """One request at a webhook."""
    return wire.Attempt(
        at=stamp(one.at),
        source=one.source,
        verdict=one.verdict,
        reason=one.reason,
        delivery_id=one.delivery_id or None,
        task_id=one.task_id or None,
        ip=one.ip or None,
        status=one.status,
    )


def _secrets(secrets: SigningSecrets) -> list[wire.Secret]:
    """The dates of those that are believed, the newest first."""
    now = datetime.now(UTC).timestamp()
    return [
        wire.Secret(created_at=_moment(one.created_at), expires_at=_moment(one.expires_at))
        for one in secrets.secrets
        if one.is_valid(now)
    ]


def _moment(at: float) -> str | None:
    return maybe(datetime.fromtimestamp(at, UTC) if at else None)
