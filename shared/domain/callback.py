"""Callbacks: to whom it is told how an invocation ended, and what a function may say about that in its config."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.problem import Problem, wrong
from shared.domain.signing_secrets import PREFIX
from shared.domain.webhook import check_url

SLUG = "deliver_callback"
"""The system function that tells one end to one receiver. The platform alone calls it."""
STEP = "callback"
"""The step of an invocation that its callback is: what the task id of the one makes that of the other."""
EVENT = "invocation.finished"
MAX_URL = 2000
MAX_EXPIRES_IN_S = 7 * 86_400


def secrets_place(tenant: str) -> str:
    """What the tenant's secrets for callbacks are sealed for."""
    return f"callbacks/{tenant}/secrets"


def signed_headers(secrets: Iterable[str], *, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The header lines of Standard Webhooks, with a signature by each secret. The id has no dots."""
    text = f"{id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets]
    digests = [base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{digest}" for digest in digests),
    }


def check_callback_url(url: str, *, field: str = "callback_url") -> None:
    """Refuse what is no address for a callback. Raises Problem(invalid).

    Whether the address may be reached is seen when it is called: names change where they lead to.
    """
    if fault := _fault(url):
        raise wrong(field, f"{field} {fault}")
    check_url(url, field=field)


def check_expires_in(seconds: object, *, field: str = "expires_in") -> None:
    """Refuse what is no time for an invocation to be started in. Raises Problem(invalid)."""
    if not _is_expiry(seconds):
        raise wrong(field, f"{field} must be a number of seconds above 0 and at most {MAX_EXPIRES_IN_S}")


def check_callbacks(config: Mapping[str, Any]) -> None:
    """Refuse a `callback_url` or an `expires_in` of a function that make no sense. Raises Problem(invalid)."""
    url = config.get("callback_url", "")
    if not isinstance(url, str):
        raise wrong("config.callback_url", "config.callback_url must be a text")
    if url:
        check_callback_url(url, field="config.callback_url")
    if "expires_in" in config:
        check_expires_in(config["expires_in"], field="config.expires_in")


def callback_url_of(config: Mapping[str, Any]) -> str:
    """Where a function wants the ends of its invocations told, empty where it does not.

    What was stored before it meant anything may be anything: then it does not.
    """
    url = config.get("callback_url")
    if not url:
        return ""
    try:
        check_callbacks({"callback_url": url})
    except Problem:
        return ""
    return str(url)


def expires_in_of(config: Mapping[str, Any]) -> float:
    """Within how many seconds a function wants its invocations started; 0 for no such bound."""
    seconds = config.get("expires_in")
    return float(seconds) if seconds is not None and _is_expiry(seconds) else 0.0


def _is_expiry(seconds: object) -> bool:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= MAX_EXPIRES_IN_S


def _fault(url: str) -> str:
    if len(url) > MAX_URL:
        return f"must not be longer than {MAX_URL} characters"
    if "#" in url:
        return "must not have a fragment"
    if "@" in url.partition("://")[2].replace("?", "/").partition("/")[0]:
        return "must not contain a user or a password; the signature says who calls"
    return ""
