"""Webhooks as they are sent, and how they are taken."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from services.triggers.kinds.webhook.verify import Forged, Sent, Verified, verify
from shared.domain.trigger import Webhook

NOW = 1_700_000_000
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def sent(body: bytes | str, *lines: tuple[str, str], url: str = URL, **headers: str) -> Sent:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Sent("POST", url, lines + named, body.encode() if isinstance(body, str) else body)


def taken(sent: Sent, *secrets: str, now: float = NOW, **config: Any) -> Verified:
    return verify(sent, Webhook(**config), secrets, now)


def refused(sent: Sent, *secrets: str, now: float = NOW, **config: Any) -> str:
    """Why."""
    with pytest.raises(Forged) as caught:
        taken(sent, *secrets, now=now, **config)
    assert str(caught.value) == caught.value.message != ""
    return caught.value.reason


def mac(key: bytes | str, text: bytes | str, algorithm: str = "sha256") -> bytes:
    key, text = (part.encode() if isinstance(part, str) else part for part in (key, text))
    return hmac.digest(key, text, algorithm)


def base64_mac(key: bytes | str, text: bytes | str, algorithm: str = "sha256") -> str:
    return base64.b64encode(mac(key, text, algorithm)).decode()


def hex_mac(key: bytes | str, text: bytes | str) -> str:
    return mac(key, text).hex()


def digest(body: bytes | str) -> str:
    return hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest()


def standard(
    body: bytes, *, secret: str = SECRET, ts: int | str = NOW, name: str = "msg_1", under: str = "webhook"
) -> Sent:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64_mac(key, f"{name}.{ts}.".encode() + body)
    lines = ((f"{under}-id", name), (f"{under}-timestamp", str(ts)), (f"{under}-signature", f"v1,{signature}"))
    return sent(body, *lines)
