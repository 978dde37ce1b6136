"""Who signs webhooks, and how: a table. What stands in a row is all that tells one sender from another.

A row says what is signed before the body (`before`), how signatures stand in their header (`separator`, `prefix`,
`encoding`), where the time is, and what names the delivery.
"""

from collections.abc import Container
from functools import lru_cache
from typing import Literal

import msgspec

from shared.domain.trigger import Webhook

_TOLERANCE_S = 300
CUSTOM_HEADER = "x-signature"

Check = Literal["hmac", "token", "twilio"]
Key = Literal["text", "decoded"]


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """How one sender signs. Names of headers in small letters, times in seconds.

    `source` is the tag that allowed_sources has. `marks` are headers that say who sends, signed or not; with
    `needs_mark` the signature alone does not.
    `before` is what is signed before the body, with `{id}` and `{ts}` in it; a scheme without either has no signed
    time, unless it stands in the body. `time_prefix` begins the time where it stands in the signature's own header.
    `public_prefix` begins signatures by Ed25519. With `body_time` the body says when it was sent; `body_id` is a field
    of it that names the delivery. `id_headers` do too: signed only where `before` has an `{id}`.
    """

    source: str
    signature: str
    check: Check = "hmac"
    key: Key = "text"
    encoding: Literal["hex", "base64"] = "hex"
    separator: str = ""
    prefix: str = ""
    public_prefix: str = ""
    before: str = ""
    time_header: str = ""
    time_prefix: str = ""
    body_time: bool = False
    tolerance_s: int = _TOLERANCE_S
    body_id: str = ""
    id_headers: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    needs_mark: bool = False

    def is_shown(self, names: Container[str]) -> bool:
        """Whether a request with these headers claims to be signed in this way."""
        return self.signature in names and (not self.needs_mark or self.is_marked(names))

    def is_marked(self, names: Container[str]) -> bool:
        """Whether a request with these headers says that it is from here, signed or not."""
        return any(mark in names for mark in self.marks)


def _standard(source: str, prefix: str, *, marks: tuple[str, ...] = ()) -> Scheme:
    """The signature of Standard Webhooks, under headers that begin with `prefix`."""
    return Scheme(
        source=source,
        signature=f"{prefix}-signature",
        key="decoded",
        encoding="base64",
        separator=" ",
        prefix="v1,",
        public_prefix="v1a,",
        before="{id}.{ts}.",
        time_header=f"{prefix}-timestamp",
        id_headers=(f"{prefix}-id",),
        marks=marks,
        needs_mark=bool(marks),
    )


# In the order in which a request is asked whose it is.
_SCHEMES = (
    Scheme(
        source="stripe",
        signature="stripe-signature",
        separator=",",
        prefix="v1=",
        before="{ts}.",
        time_prefix="t=",
        body_id="id",
    ),
    Scheme(
        source="github",
        signature="x-hub-signature-256",
        prefix="sha256=",
        id_headers=("x-github-delivery",),
        marks=("x-github-event", "x-hub-signature"),
    ),
    Scheme(
        source="slack",
        signature="x-slack-signature",
        prefix="v0=",
        before="v0:{ts}:",
        time_header="x-slack-request-timestamp",
        body_id="event_id",
    ),
    Scheme(
        source="shopify",
        signature="x-shopify-hmac-sha256",
        encoding="base64",
        id_headers=("x-shopify-webhook-id",),
        marks=("x-shopify-topic",),
    ),
    Scheme(
        source="twilio",
        signature="x-twilio-signature",
        check="twilio",
        encoding="base64",
        id_headers=("i-twilio-idempotency-token",),
    ),
    _standard("gitlab", "webhook", marks=("x-gitlab-event", "x-gitlab-token")),
    Scheme(
        source="gitlab",
        signature="x-gitlab-token",
        check="token",
        id_headers=("idempotency-key", "webhook-id", "x-gitlab-event-uuid"),
        marks=("x-gitlab-event",),
    ),
    Scheme(
        source="linear",
        signature="linear-signature",
        body_time=True,
        tolerance_s=60,
        marks=("linear-event",),
    ),
    _standard("standard", "webhook"),
    _standard("standard", "svix"),
)


_SNS = Scheme(source="sns", signature="x-amz-sns-message-type")  # whose signature stands in the body: triggers/sns.py


def schemes(config: Webhook) -> tuple[Scheme, ...]:
    """Every row, and the trigger's own one, which comes first where its header was chosen."""
    return _with_own(config.signature_header or "", config.idempotency_key_header or "")


@lru_cache(maxsize=1024)
def _with_own(chosen: str, named: str) -> tuple[Scheme, ...]:
    ids = (named.lower(),) if named else ()
    custom = Scheme(source="custom", signature=chosen.lower() or CUSTOM_HEADER, id_headers=ids)
    return (custom, *_SCHEMES, _SNS) if chosen else (*_SCHEMES, _SNS, custom)
