"""What the senders' own packages sign is believed here; what they would not believe is not."""

import base64
import datetime
from urllib.parse import urlencode

import stripe
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier
from standardwebhooks.webhooks import Webhook as StandardWebhook
from twilio.request_validator import RequestValidator

from tests.webhooks.signing import NOW, refused, sent, taken

TEXTS = st.text(max_size=200)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64).filter(
    lambda secret: not secret.startswith("whpk_")
)
KEYS = st.binary(min_size=1, max_size=64)
TIMES = st.integers(min_value=1, max_value=2**33)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=200)
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(body=TEXTS, key=KEYS, other=KEYS, ts=TIMES, name=NAMES, late=st.integers(-400, 400))
def test_standardwebhooks(*, body: str, key: bytes, other: bytes, ts: int, name: str, late: int):
    secret, another = (f"whsec_{base64.b64encode(one).decode()}" for one in (key, other))
    at = datetime.datetime.fromtimestamp(ts, datetime.UTC)
    signature = StandardWebhook(secret).sign(name, at, body)
    came = sent(body, webhook_id=name, webhook_timestamp=str(ts), webhook_signature=signature)
    if abs(late) <= 300:
        assert taken(came, another, secret, now=ts + late) == ("standard", name, True)
    else:
        assert refused(came, another, secret, now=ts + late) == "time"
    if key.rstrip(b"\0") != other.rstrip(b"\0"):  # an HMAC's key is padded with zeros
        assert refused(came, another, now=ts) == "signature"


@given(key=st.binary(min_size=16, max_size=64), body=TEXTS)
def test_standardwebhooks_without_a_prefix(key: bytes, body: str):
    """The package takes any secret for base64."""
    secret = base64.b64encode(key).decode()
    signature = StandardWebhook(secret).sign("msg_1", datetime.datetime.fromtimestamp(NOW, datetime.UTC), body)
    came = sent(body, svix_id="msg_1", svix_timestamp=str(NOW), svix_signature=signature)
    assert taken(came, secret).is_signed
    assert taken(came, secret.rstrip("=")).is_signed


@given(body=TEXTS, secret=SECRETS, other=SECRETS, ts=TIMES, late=st.integers(-400, 400))
def test_stripe(*, body: str, secret: str, other: str, ts: int, late: int):
    header = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=ts)
    came = sent(body, stripe_signature=header)
    if abs(late) <= 300:
        assert taken(came, other, secret, now=ts + late).source == "stripe"
    else:
        assert refused(came, other, secret, now=ts + late) == "time"
    assert secret == other or refused(came, other, now=ts) == "signature"
    both = stripe.WebhookSignature.generate_signature_header(body, other, timestamp=ts)
    rotated = came._replace(headers=[("stripe-signature", f"{both},v1={header.partition('v1=')[2]}")])
    assert taken(rotated, secret, now=ts).is_signed


@given(body=TEXTS, secret=SECRETS.filter(str.strip), ts=TIMES, late=st.integers(-400, 400))
def test_slack(*, body: str, secret: str, ts: int, late: int):
    class Then(Clock):
        def now(self) -> float:
            return ts + late

    package = SignatureVerifier(secret, Then())
    signature = package.generate_signature(timestamp=str(ts), body=body)
    assert signature
    came = sent(body, x_slack_signature=signature, x_slack_request_timestamp=str(ts))
    believed = package.is_valid_request(body, dict(came.headers))
    assert believed == (abs(late) <= 300)
    if believed:
        assert taken(came, secret, now=ts + late).source == "slack"
    else:
        assert refused(came, secret, now=ts + late) == "time"


class Form:
    """A form with keys that are repeated, as the package wants it."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def __iter__(self):
        return (name for name, _ in self.pairs)

    def __len__(self):
        return len(self.pairs)

    def getall(self, name: str) -> list[str]:
        return [value for known, value in self.pairs if known == name]


HOSTS = st.sampled_from(
    ["https://h.test", "https://h.test:443", "http://h.test", "http://h.test:80", "https://h.test:8443"]
)


@given(
    pairs=st.lists(st.tuples(PLAIN.filter(bool), PLAIN), min_size=1, max_size=10),
    secret=SECRETS,
    host=HOSTS,
    ask=st.dictionaries(PLAIN.filter(bool), PLAIN, max_size=4),
    algorithm=st.sampled_from(["", "HMAC_SHA1", "HMAC_SHA256"]),
)
def test_twilio(*, pairs: list[tuple[str, str]], secret: str, host: str, ask: dict[str, str], algorithm: str):
    url = f"{host}/hook?{urlencode(ask)}".rstrip("?")
    package = RequestValidator(secret)
    signature = package.compute_signature(url, Form(pairs), algorithm)
    settings = {"x-twilio-webhooks-signature-settings": f"key=k,algorithm={algorithm}"} if algorithm else {}
    lines = {"content-type": "application/x-www-form-urlencoded; charset=utf-8", "x-twilio-signature": signature}
    came = sent(urlencode(pairs), *(lines | settings).items(), url=url)
    assert package.validate(url, Form(pairs), signature, algorithm)
    assert taken(came, secret).source == "twilio"
    changed = came._replace(body=came.body + b"&more=1")
    assert ("more", "1") in pairs or refused(changed, secret) == "signature"


@given(body=st.text(min_size=1), secret=SECRETS, host=HOSTS)
def test_twilio_json(body: str, secret: str, host: str):
    package = RequestValidator(secret)
    url = f"{host}/hook?bodySHA256={package.compute_hash(body)}"
    signature = package.compute_signature(url, {})
    came = sent(body, ("content-type", "application/json"), ("x-twilio-signature", signature), url=url)
    assert package.validate(url, body, signature)
    assert taken(came, secret).is_signed
    assert refused(came._replace(body=came.body + b" "), secret) == "signature"
