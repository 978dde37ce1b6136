"""Bytes of all kinds: refused in one way only, and never taken."""

import base64
import contextlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triggers.kinds.webhook.schemes import schemes
from services.triggers.kinds.webhook.verify import Forged, Sent, source_of, verify
from shared.domain.trigger import SOURCES, Webhook
from tests.webhooks.signing import NOW, SECRET, base64_mac, hex_mac, mac, refused, sent, standard, taken

ROWS = schemes(Webhook(idempotency_key_header="x-key"))
NAMES = sorted(
    {row.signature for row in ROWS}
    | {row.time_header for row in ROWS if row.time_header}
    | {name for row in ROWS for name in (*row.id_headers, *row.marks)}
    | {"content-type", "x-twilio-webhooks-signature-settings", "x-other"}
)
PREFIXES = sorted({row.prefix for row in ROWS} | {row.public_prefix for row in ROWS} | {"t=", f"t={NOW},v1="})
RAW = st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
BASE64 = st.binary(max_size=80).map(lambda raw: base64.b64encode(raw).decode())
VALUES = st.one_of(
    RAW,
    st.builds(str.__add__, st.sampled_from(PREFIXES), st.one_of(RAW, BASE64, st.binary(max_size=80).map(bytes.hex))),
    st.lists(st.builds(str.__add__, st.sampled_from(PREFIXES), BASE64), max_size=50).map(" ".join),
    st.sampled_from([str(NOW), "application/x-www-form-urlencoded", "application/json", "algorithm=HMAC_SHA256"]),
)
LINES = st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=12)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"{}", b"\xff\xfe", b'{"id":"\\ud800"}', b"[" * 50_000, b"&" * 5000, b"a=%zz&%=&=+"]),
)
URLS = st.one_of(RAW, RAW.map(lambda tail: "https://h.test" + tail), st.just(f"https://h?bodySHA256={'0' * 64}"))
SECRETS = (
    "hush",
    SECRET,
    "whpk_" + base64.b64encode(bytes(32)).decode(),
    "whsec_???",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
)
CONFIGS = st.builds(
    Webhook,
    allowed_sources=st.sampled_from(["", *SOURCES, "github,slack"]),
    secret_required=st.sampled_from([True, True, False]),
    signature_header=st.sampled_from(["x-signature", "webhook-signature", "x-other"]),
    idempotency_key_header=st.sampled_from(["x-key", "idempotency-key"]),
)


@given(lines=LINES, body=BODIES, url=URLS, config=CONFIGS)
def test_whatever_is_sent(lines: list[tuple[str, str]], body: bytes, *, url: str, config: Webhook):
    came = Sent("POST", url, lines, body)
    assert source_of(came, config) in {None, *SOURCES}
    with contextlib.suppress(Forged):
        verified = verify(came, config, SECRETS, NOW)
        assert not verified.is_signed
        assert config.secret_required is False
        assert verified.delivery_id.startswith("unsigned.")


@given(body=BODIES, lines=LINES, name=st.text(st.characters(max_codepoint=255), max_size=300))
def test_whatever_is_signed(body: bytes, lines: list[tuple[str, str]], name: str):
    """Bodies that are no text and no JSON are signed like others; what else is in the head changes nothing of that."""
    good: list[tuple[tuple[str, str], ...]] = [
        (("stripe-signature", f"t={NOW},v1={hex_mac('hush', f'{NOW}.'.encode() + body)}"),),
        (("x-hub-signature-256", "sha256=" + hex_mac("hush", body)), ("x-github-delivery", name)),
        (("x-shopify-hmac-sha256", base64_mac("hush", body)), ("x-shopify-webhook-id", name)),
        (
            ("x-slack-signature", "v0=" + mac("hush", f"v0:{NOW}:".encode() + body).hex()),
            ("x-slack-request-timestamp", str(NOW)),
        ),
    ]
    for signed, source in zip(good, ("stripe", "github", "shopify", "slack"), strict=True):
        own = {header for header, _ in signed} | {
            "x-slack-request-timestamp",
            "x-github-delivery",
            "x-shopify-webhook-id",
        }
        others = [line for line in lines if line[0] not in own]
        verified = taken(sent(body, *others, *signed), "hush", allowed_sources=source)
        assert (verified.source, verified.is_signed) == (source, True)
        assert 0 < len(verified.delivery_id) <= 300
        assert verified.delivery_id.isascii()
        assert verified.delivery_id.isprintable()


@given(body=st.binary(min_size=1, max_size=300), place=st.integers(0, 299), bit=st.integers(0, 7))
def test_one_bit_of_the_body(body: bytes, place: int, bit: int):
    came = standard(body)
    changed = bytearray(body)
    changed[place % len(body)] ^= 1 << bit
    assert taken(came, SECRET).is_signed
    with contextlib.suppress(Forged):
        raise AssertionError(taken(came._replace(body=bytes(changed)), SECRET))


def test_a_secret_signs_once_however_many_signatures_are_sent(monkeypatch: pytest.MonkeyPatch):
    """What an unknown sender can have computed is bounded by the body and by the trigger's own secrets."""
    many = " ".join(f"v1,{'A' * 43}=" for _ in range(20_000))
    form = ("content-type", "application/x-www-form-urlencoded")
    signed: list[int] = []
    compared: list[bytes] = []
    digest, compare = hmac.digest, hmac.compare_digest
    monkeypatch.setattr(hmac, "digest", lambda key, text, how: signed.append(len(text)) or digest(key, text, how))
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(one) or compare(one, other))
    for came, texts in (
        (sent(b"{}", webhook_id="m", webhook_timestamp=str(NOW), webhook_signature=many), 1),
        (sent(b"%41" * 300_000, form, ("x-twilio-signature", "AAAA")), 2),
        (sent(b"a=b&" * 250_000, form, ("x-twilio-signature", "AAAA")), 0),
        (sent(b"{}", ("x-signature", " " * 60_000 + "x")), 0),
    ):
        signed.clear()
        compared.clear()
        assert refused(came, "a", "b") == "signature"
        assert len(signed) == 2 * texts
        assert len(compared) <= 32 * len(signed)
