"""What makes a delivery this one and no other.

docs/decisions/webhook-signatures.md says why a name that nobody signed does not do alone.
"""

import hashlib
import re

import msgspec

from services.triggers.kinds.webhook.claim import signed_id
from services.triggers.kinds.webhook.schemes import Scheme
from services.triggers.kinds.webhook.sent import Head, Sent

_PLAIN = re.compile(r"[!-~]{1,200}")
_TIME_IN_BODY = re.compile(rb'("webhookTimestamp"\s*:\s*)[0-9.]+')


class Said(msgspec.Struct):
    """The fields of JSON bodies that say which delivery it is and when it was sent, whatever is in them."""

    id: object = None
    event_id: object = None
    sent_ms: object = msgspec.field(default=None, name="webhookTimestamp")


def said(body: bytes) -> Said:
    """What a body says; nothing where it is no JSON object."""
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Said()


def delivery_id(scheme: Scheme, sent: Sent, head: Head, *, signed: bytes) -> str:
    """The id, by its scheme; `signed` is what the signature is over, without a name or a time from the head.

    At most 300 characters that are printable. Raises Forged where there are two names.
    """
    if "{id}" in scheme.before:
        return _bounded(signed_id(scheme, head))
    if scheme.body_id:
        name = getattr(said(sent.body), scheme.body_id)
        if isinstance(name, str) and name:
            return _bounded(name)
    if scheme.body_time:
        return _digest(_TIME_IN_BODY.sub(rb"\1", signed))  # each attempt at sending has a time of its own
    return _with_digest(head.first(scheme.id_headers), signed)


def unsigned_id(scheme: Scheme | None, sent: Sent, head: Head) -> str:
    """Apart from all others: who need not sign must not take the name of a delivery that is signed. Raises Forged."""
    return "unsigned." + _with_digest(head.first(scheme.id_headers) if scheme else "", sent.body)


def _with_digest(name: str, signed: bytes) -> str:
    return f"{_bounded(name)}.{_digest(signed)}" if name else _digest(signed)


def _bounded(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else _digest(name.encode("utf-8", "replace"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
