"""What a request's head says of its signature: read, not yet believed."""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.triggers.kinds.webhook import twilio
from services.triggers.kinds.webhook.schemes import Scheme
from services.triggers.kinds.webhook.sent import Forged, Head, Sent

_MOST_SIGNATURES = 32
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){1,128}")


class Claim(NamedTuple):
    """One of the texts was signed, and one of the signatures is good, be it with a public key. `ts` is as it came."""

    texts: tuple[bytes, ...]
    signatures: list[bytes]
    public: list[bytes]
    algorithm: str = "sha256"
    ts: str = ""


def claimed(scheme: Scheme, sent: Sent, head: Head) -> Claim:
    """What is claimed in the way of this scheme, with a bounded number of signatures. Raises Forged."""
    value = head.get(scheme.signature)
    parts = value.split(scheme.separator, _MOST_SIGNATURES)[:_MOST_SIGNATURES] if scheme.separator else [value]
    words = [part.strip(" \t") for part in parts]
    signatures = list(_decoded(words, scheme.prefix, scheme.encoding))
    if scheme.check == "twilio":
        signed = twilio.signed(sent, head)
        return Claim(signed.texts, signatures, [], algorithm=signed.algorithm)
    public = list(_decoded(words, scheme.public_prefix, scheme.encoding)) if scheme.public_prefix else []
    ts = _time(scheme, words, head)
    before = scheme.before.replace("{ts}", ts)
    if "{id}" in before:
        before = before.replace("{id}", signed_id(scheme, head))
    return Claim((before.encode("latin-1", "replace") + sent.body,), signatures, public, ts=ts)


def signed_id(scheme: Scheme, head: Head) -> str:
    """The delivery's name that is part of what was signed. Raises Forged.

    One with a full stop in it could be read in two ways: its end as the time, and the time as part of the body.
    """
    said = head.get(scheme.id_headers[0])
    if not said or "." in said:
        raise Forged("signature", f"There is no {scheme.id_headers[0]}, or it has a full stop in it")
    return said


def base64_bytes(text: str) -> bytes:
    """Empty where it is no base64. Padding may be left out."""
    plain = text.rstrip("=")
    try:
        return base64.b64decode((plain + "=" * (-len(plain) % 4)).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""


def _time(scheme: Scheme, words: Sequence[str], head: Head) -> str:
    if scheme.time_header:
        return head.get(scheme.time_header)
    if not scheme.time_prefix:
        return ""
    said = [word.removeprefix(scheme.time_prefix) for word in words if word.startswith(scheme.time_prefix)]
    if len(said) != 1:
        raise Forged("signature", "The signature does not say one time")
    return said[0]


def _decoded(words: Sequence[str], prefix: str, encoding: str) -> Iterator[bytes]:
    """The signatures of one kind; what is none is passed over."""
    for word in words:
        if not word.startswith(prefix):
            continue
        text = word[len(prefix) :]
        if encoding == "hex" and _HEX.fullmatch(text):
            yield bytes.fromhex(text)
        elif encoding == "base64" and (found := base64_bytes(text)):
            yield found
