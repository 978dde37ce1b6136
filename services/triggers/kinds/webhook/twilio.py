"""What Twilio signs: the public URL, and of a form every key with its values; of another body its hash, in the URL."""

import hashlib
import hmac
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from services.triggers.kinds.webhook.sent import Forged, Head, Sent

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_URL = re.compile(rb"(?s)(https?)://([^/?#]*?)(:[0-9]{1,5})?([/?#].*)?")
_PORTS = {b"https": b":443", b"http": b":80"}
_BODY_HASH = re.compile(r"[?&]bodySHA256=([0-9A-Fa-f]{64})(?=[&#]|$)")
_SETTINGS = "x-twilio-webhooks-signature-settings"
_ALGORITHMS = {"": "sha1", "hmac_sha1": "sha1", "hmac_sha256": "sha256"}


class Texts(NamedTuple):
    """What may have been signed, and with which hash."""

    algorithm: str
    texts: tuple[bytes, ...]


def signed(sent: Sent, head: Head) -> Texts:
    """Twilio is not sure of the port: the URL is taken as it came, with its scheme's port, and without one.

    Raises Forged for a body that no signature could be over.
    """
    tail = _tail(sent, head)
    return Texts(
        _algorithm(head.get(_SETTINGS)), tuple(url + tail for url in _urls(sent.url.encode("latin-1", "replace")))
    )


def _algorithm(settings: str) -> str:
    for part in settings.split(",")[:10]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "algorithm":
            found = _ALGORITHMS.get(value.strip().lower())
            if found is None:
                raise Forged("signature", "The signature is by an algorithm that is not known here")
            return found
    return _ALGORITHMS[""]


def _urls(url: bytes) -> tuple[bytes, ...]:
    found = _URL.fullmatch(url)
    if found is None:
        return (url,)
    scheme, host, port, rest = found.groups(default=b"")
    without = scheme + b"://" + host + rest
    return (url, without) if port else (url, scheme + b"://" + host + _PORTS[scheme] + rest)


def _tail(sent: Sent, head: Head) -> bytes:
    if not sent.body:
        return b""
    if head.get("content-type").partition(";")[0].strip().lower() == _FORM:
        return _form(sent.body)
    said = _BODY_HASH.search(sent.url)
    digest = hashlib.sha256(sent.body).hexdigest()
    if said is None or not hmac.compare_digest(digest, said.group(1).lower()):
        raise Forged("signature", "The body is not the one whose hash is in the URL")
    return b""


def _form(body: bytes) -> bytes:
    if body.count(b"&") >= _MOST_FIELDS:
        raise Forged("signature", f"The form has more than {_MOST_FIELDS} fields")
    pairs = {_pair(field) for field in body.split(b"&") if field}
    if not pairs:
        raise Forged("signature", "The form has no field")
    return b"".join(name + value for name, value in sorted(pairs))


def _pair(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name), unquote_to_bytes(value)
