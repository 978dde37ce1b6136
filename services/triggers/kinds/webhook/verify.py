"""Whether a webhook is from who it says: on its raw bytes, and in this order: source, signature, time. Pure."""

import re
from collections.abc import Sequence

from services.triggers.kinds.webhook.claim import Claim, claimed
from services.triggers.kinds.webhook.keys import is_token, signed_text
from services.triggers.kinds.webhook.naming import delivery_id, said, unsigned_id
from services.triggers.kinds.webhook.schemes import Scheme, schemes
from services.triggers.kinds.webhook.sent import Forged, Head, Sent, Verified
from shared.domain.trigger import Webhook

__all__ = ["Forged", "Sent", "Verified", "admitted", "source_of", "verify"]

_SECONDS = re.compile(r"[0-9]{1,15}")
_MOST_MS = 10**15


def source_of(sent: Sent, config: Webhook) -> str | None:
    """The tag of who signed, by the header that is there; of several the one that is allowed. Not yet believed."""
    return _source(Head(sent.headers), config)


def admitted(sent: Sent, config: Webhook) -> str | None:
    """The same. Raises Forged(source) where the trigger does not take webhooks from there."""
    return _admitted(Head(sent.headers), config)


def verify(sent: Sent, config: Webhook, secrets: Sequence[str], now: float) -> Verified:
    """The webhook, believed; `now` in Unix seconds. Raises Forged, and nothing else whatever the bytes are.

    Messages of SNS, whose signature is another matter, are not verified here but in services.triggers.sns.
    """
    head = Head(sent.headers)
    source = _admitted(head, config)
    if source == "sns":
        raise Forged("signature", "A message of SNS is signed by certificate, not with a secret")
    rows = [scheme for scheme in schemes(config) if scheme.source == source]
    shown = [scheme for scheme in rows if scheme.signature in head]
    if config.secret_required is False and not (shown and secrets):
        name = unsigned_id(rows[0] if rows else None, sent, head)
        return Verified(source or "", name, is_signed=False)
    if source is None or not shown:
        wanted = f"header {rows[0].signature}" if rows else "signature in a header that is known here"
        raise Forged("unsigned", f"There is no {wanted}")
    return Verified(source, _good(shown, sent, head, secrets=secrets, config=config, now=now), is_signed=True)


def _source(head: Head, config: Webhook) -> str | None:
    rows = schemes(config)
    allowed = _allowed(config)
    found = [row.source for row in rows if row.is_shown(head)] or [row.source for row in rows if row.is_marked(head)]
    if not found and allowed == ["sns"]:
        return "sns"  # servers that are like it do not all send its header
    return next((source for source in found if source in allowed), found[0] if found else None)


def _admitted(head: Head, config: Webhook) -> str | None:
    source = _source(head, config)
    allowed = _allowed(config)
    if allowed and source is not None and source not in allowed:
        raise Forged("source", f"Webhooks of {source} are not taken here")
    if allowed and source is None and config.secret_required is False:
        raise Forged("source", "It is not said who sends this")
    return source


def _allowed(config: Webhook) -> list[str]:
    return config.allowed_sources.split(",") if config.allowed_sources else []


def _good(
    shown: Sequence[Scheme], sent: Sent, head: Head, *, secrets: Sequence[str], config: Webhook, now: float
) -> str:
    """The delivery's id by the first way of signing that holds: a sender may have an older one beside its newer."""
    fault: Forged | None = None
    for scheme in shown:
        try:
            return _checked(scheme, sent, head, secrets=secrets, config=config, now=now)
        except Forged as forged:
            fault = fault or forged
    assert fault is not None
    raise fault


def _checked(scheme: Scheme, sent: Sent, head: Head, *, secrets: Sequence[str], config: Webhook, now: float) -> str:
    if scheme.check == "token":
        if not is_token(head.get(scheme.signature), secrets):
            raise Forged("signature", "The token is none that is valid here")
        return delivery_id(scheme, sent, head, signed=sent.body)
    claim = claimed(scheme, sent, head)
    text = signed_text(claim, scheme, secrets)
    if text is None:
        raise Forged("signature", "The signature is not by any secret that is valid here")
    tolerance_s = config.tolerance_seconds if isinstance(config.tolerance_seconds, int) else scheme.tolerance_s
    _in_time(_sent_at(scheme, claim, sent.body), now, tolerance_s=tolerance_s)
    return delivery_id(scheme, sent, head, signed=text if scheme.check == "twilio" else sent.body)


def _sent_at(scheme: Scheme, claim: Claim, body: bytes) -> float | None:
    """When it was sent, in Unix seconds; None for a sender that does not say. Raises Forged(time)."""
    if scheme.body_time:
        sent_ms = said(body).sent_ms
        if isinstance(sent_ms, int | float) and not isinstance(sent_ms, bool) and 0 <= sent_ms <= _MOST_MS:
            return sent_ms / 1000
    elif "{ts}" not in scheme.before:
        return None
    elif _SECONDS.fullmatch(claim.ts):
        return float(claim.ts)
    raise Forged("time", "It is not said when this was sent")


def _in_time(sent_at: float | None, now: float, *, tolerance_s: int) -> None:
    if sent_at is not None and not abs(now - sent_at) <= tolerance_s:
        raise Forged("time", f"This was not sent within {tolerance_s} s of now, by the clock here")
