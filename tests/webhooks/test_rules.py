"""Who is asked whose a webhook is, in which order things are looked at, and what a delivery's id is made of."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.triggers.kinds.webhook.verify import Forged, Sent, admitted, source_of
from shared.domain.trigger import SOURCES, Webhook
from tests.webhooks.signing import NOW, SECRET, base64_mac, digest, hex_mac, refused, sent, standard, taken

BODY = b'{"id":"evt_1","event_id":"Ev1"}'


def github(body: bytes = BODY, secret: str = "hush", *, name: str = "72d3162e") -> Sent:
    return sent(body, x_hub_signature_256="sha256=" + hex_mac(secret, body), x_github_delivery=name)


def stripe(body: bytes = BODY, secret: str = "hush", *, ts: int = NOW) -> Sent:
    return sent(body, stripe_signature=f"t={ts},v1={hex_mac(secret, f'{ts}.'.encode() + body)}")


def slack(body: bytes = BODY, secret: str = "hush", *, ts: int | str = NOW) -> Sent:
    signature = "v0=" + hex_mac(secret, f"v0:{ts}:".encode() + body)
    return sent(body, x_slack_signature=signature, x_slack_request_timestamp=str(ts))


def linear(body: bytes, secret: str = "hush") -> Sent:
    return sent(body, linear_signature=hex_mac(secret, body))


def custom(body: bytes = BODY, secret: str = "hush", **headers: str) -> Sent:
    return sent(body, x_signature=hex_mac(secret, body), **headers)


def twilio(body: str, tail: str, *lines: tuple[str, str]) -> Sent:
    url = "https://h.test/hook"
    form = ("content-type", "application/x-www-form-urlencoded")
    return sent(body, form, ("x-twilio-signature", base64_mac("hush", url + tail, "sha1")), *lines, url=url)


def with_line(came: Sent, name: str, value: str) -> Sent:
    return came._replace(headers=[line for line in came.headers if line[0] != name] + [(name, value)])


# Whose it is.


@pytest.mark.parametrize(
    ("came", "source"),
    [
        (standard(BODY), "standard"),
        (standard(BODY, under="svix"), "standard"),
        (stripe(), "stripe"),
        (github(), "github"),
        (slack(), "slack"),
        (linear(b"{}"), "linear"),
        (custom(), "custom"),
        (sent(b"", x_shopify_hmac_sha256="x"), "shopify"),
        (sent(b"", x_twilio_signature="x"), "twilio"),
        (sent(b"", x_gitlab_token="x"), "gitlab"),
        (with_line(standard(BODY), "x-gitlab-event", "Push Hook"), "gitlab"),
        (sent(b"", x_amz_sns_message_type="Notification"), "sns"),
        (sent(b"", x_github_event="ping"), "github"),
        (sent(b"", x_hub_signature="sha1=0123"), "github"),
        (sent(b"", x_gitlab_event="Push Hook"), "gitlab"),
        (with_line(standard(BODY), "x-github-event", "push"), "standard"),
        (sent(b""), None),
    ],
)
def test_whose_it_is(came: Sent, source: str | None):
    assert source_of(came, Webhook()) == admitted(came, Webhook()) == source


SIGNED = ("webhook-signature", "stripe-signature", "x-hub-signature-256", "x-slack-signature", "x-gitlab-token",
          "x-shopify-hmac-sha256", "x-twilio-signature", "linear-signature", "x-signature")  # fmt: skip


def test_every_tag_is_somebodys():
    found = {source_of(sent(b"", (name, "x")), Webhook()) for name in (*SIGNED, "x-amz-sns-message-type")}
    assert found == set(SOURCES)


def test_of_several_the_one_that_is_allowed():
    came = github()._replace(headers=[*github().headers, *standard(BODY).headers])
    assert source_of(came, Webhook()) == "github"
    assert source_of(came, Webhook(allowed_sources="standard")) == "standard"
    assert taken(came, SECRET, allowed_sources="standard").source == "standard"
    assert refused(came, SECRET) == "signature"
    assert taken(came, "hush", allowed_sources="slack,github").source == "github"


def test_a_source_that_is_not_allowed():
    assert refused(github(), "hush", allowed_sources="stripe,slack") == "source"
    assert refused(github(), "hush", allowed_sources="stripe", secret_required=False) == "source"
    assert refused(sent(b""), allowed_sources="stripe", secret_required=False) == "source"
    assert refused(sent(b""), allowed_sources="stripe") == "unsigned"
    with pytest.raises(Forged):
        admitted(github(), Webhook(allowed_sources="stripe"))


def test_sns_is_not_verified_with_a_secret():
    came = sent(b"{}", x_amz_sns_message_type="Notification")
    assert refused(came, "hush") == "signature"
    assert refused(came, "hush", secret_required=False) == "signature"
    assert source_of(sent(b"{}"), Webhook(allowed_sources="sns")) == "sns"
    assert source_of(sent(b"{}"), Webhook(allowed_sources="sns,github")) is None


def test_a_header_of_ones_own():
    came = sent(BODY, x_own=hex_mac("hush", BODY), stripe_signature="t=1,v1=00", x_key="k1")
    named = {"signature_header": "X-Own", "idempotency_key_header": "X-Key"}
    assert taken(came, "hush", **named) == ("custom", f"k1.{digest(BODY)}", True)
    assert refused(came, "hush", **named, allowed_sources="stripe") == "signature"
    assert refused(custom(), "hush", **named) == "unsigned"


# What is looked at, in which order.


def test_nothing_is_said_of_the_time_of_what_is_not_signed():
    assert refused(stripe(ts=NOW - 10_000, secret="other"), "hush") == "signature"
    assert refused(stripe(ts=NOW - 10_000), "hush") == "time"
    assert refused(stripe(ts=NOW - 10_000), "hush", allowed_sources="github") == "source"


@pytest.mark.parametrize("late_s", [300, -300, 0])
def test_within_the_tolerance(late_s: int):
    assert taken(stripe(), "hush", now=NOW + late_s).is_signed
    assert taken(slack(), "hush", now=NOW + late_s).is_signed
    assert taken(standard(BODY), SECRET, now=NOW + late_s).is_signed


@pytest.mark.parametrize("late_s", [301, -301, 300.5, 1e9, -1e9])
def test_out_of_the_tolerance(late_s: float):
    for came in (stripe(), slack(), standard(BODY, secret="whsec_" + base64.b64encode(b"hush").decode())):
        assert refused(came, "hush", "whsec_" + base64.b64encode(b"hush").decode(), now=NOW + late_s) == "time"


def test_a_tolerance_of_ones_own():
    assert taken(stripe(), "hush", now=NOW + 900, tolerance_seconds=900).is_signed
    assert refused(stripe(), "hush", now=NOW + 11, tolerance_seconds=10) == "time"
    assert taken(linear(b'{"webhookTimestamp":%d}' % (NOW * 1000)), "hush", now=NOW + 90, tolerance_seconds=90)


@pytest.mark.parametrize("ts", ["", "-1", "1e9", "1700000000.0", " 1700000000", "\xb2", "9" * 400, "NaN", "0x10"])
def test_times_that_are_none(ts: str):
    assert refused(standard(BODY, ts=ts), SECRET) in {"time", "signature"}
    assert refused(slack(ts=ts), "hush") in {"time", "signature"}
    assert refused(stripe()._replace(headers=[("stripe-signature", f"t={ts},v1=00")]), "hush") == "signature"


@pytest.mark.parametrize("late_ms", [60_000, -60_000, 0])
def test_linear_within_its_minute(late_ms: int):
    assert taken(linear(b'{"webhookTimestamp":%d}' % (NOW * 1000 - late_ms)), "hush").is_signed


@pytest.mark.parametrize(
    "said",
    [b"%d" % (NOW * 1000 - 60_001), b"%d" % (NOW * 1000 + 60_001), b'"%d"' % (NOW * 1000), b"null", b"true", b"{}",
     b"1" + b"0" * 400, b"1e300", b"-5", b"%d" % NOW],
)  # fmt: skip
def test_linear_out_of_it(said: bytes):
    assert refused(linear(b'{"webhookTimestamp":%b}' % said), "hush") == "time"


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"\xff", b"[" * 100_000, b'{"a":' * 5000, b"{}"])
def test_linear_that_says_no_time(body: bytes):
    assert refused(linear(body), "hush") == "time"


# Secrets.


def test_several_secrets():
    for came in (github(), stripe(), slack(), custom()):
        assert taken(came, "old", "hush", "new").is_signed
        assert refused(came, "old", "new") == "signature"
        assert refused(came) == "signature"
        assert refused(came, "") == "signature"


def test_an_empty_secret_signs_nothing():
    assert refused(github(secret=""), "") == "signature"
    assert refused(sent(b"", x_gitlab_token=""), "") == "signature"
    for secret in ("whsec_", "whsec_==", "whsec_!!", "whsec_A"):
        came = standard(BODY, secret="whsec_")
        assert refused(came, secret) == "signature"


def test_a_secret_with_a_prefix_is_its_text_for_others():
    assert taken(github(secret=SECRET), SECRET).is_signed
    assert taken(stripe(secret=SECRET), SECRET).is_signed
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    came = sent(BODY, x_signature=hex_mac(key, BODY))
    assert refused(came, SECRET) == "signature"
    as_text = base64_mac(SECRET, f"msg_1.{NOW}.".encode() + BODY)
    assert refused(with_line(standard(BODY), "webhook-signature", f"v1,{as_text}"), SECRET) == "signature"
    assert taken(standard(BODY), "v1," + SECRET).is_signed


def asymmetric(body: bytes = BODY) -> tuple[Sent, str]:
    private = Ed25519PrivateKey.generate()
    signature = base64.b64encode(private.sign(f"msg_1.{NOW}.".encode() + body)).decode()
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    came = with_line(standard(body), "webhook-signature", f"v1,{'A' * 43}= v1a,{signature}")
    return came, "whpk_" + base64.b64encode(raw).decode()


def test_a_public_key():
    came, public = asymmetric()
    assert taken(came, SECRET, public) == ("standard", "msg_1", True)
    assert refused(came._replace(body=b"{}"), public) == "signature"
    assert refused(came, SECRET, asymmetric()[1]) == "signature"
    assert refused(came, "whpk_", "whpk_!", public[:-8]) == "signature"
    assert refused(came, public, now=NOW + 301) == "time"


def test_who_knows_a_public_key_cannot_sign_with_it():
    _, public = asymmetric()
    for secret in (public, public.removeprefix("whpk_")):
        for came in (github(secret=secret), stripe(secret=secret), slack(secret=secret), custom(secret=secret)):
            assert refused(came, public) == "signature"
        assert refused(sent(b"", x_gitlab_token=secret), public) == "signature"
    raw = base64.b64decode(public.removeprefix("whpk_"))
    assert refused(standard(BODY, secret=base64.b64encode(raw).decode()), public) == "signature"


# Signatures that are not signed by anybody, and those that are two.


def test_nothing_signed():
    assert refused(sent(BODY), "hush") == "unsigned"
    assert refused(sent(BODY, x_hub_signature="sha1=" + base64_mac("hush", BODY, "sha1")), "hush") == "unsigned"
    assert refused(sent(BODY, x_github_event="push"), "hush") == "unsigned"


@pytest.mark.parametrize("name", SIGNED)
def test_an_empty_signature(name: str):
    for value in ("", " ", "v1,", "v1=", "v0=", "sha256=", "t=,v1=", "="):
        assert refused(sent(BODY, (name, value)), "hush", SECRET) == "signature"


@pytest.mark.parametrize("came", [standard(BODY), stripe(), github(), slack(), custom(), linear(b"{}")])
def test_a_header_that_is_there_twice_is_nobodys(came: Sent):
    """A proxy may take the first one and another the last: here a forged one beside a good one is not taken at all."""
    for name, value in came.headers:
        if name == "x-github-delivery":
            continue
        for headers in (
            [*came.headers, (name, "other")],
            [(name, "other"), *came.headers],
            [*came.headers, (name, value)],
        ):
            assert refused(came._replace(headers=headers), "hush", SECRET) == "signature"


def test_a_name_that_is_there_twice():
    came = github()
    assert refused(came._replace(headers=[*came.headers, ("x-github-delivery", "other")]), "hush") == "signature"


def test_signatures_that_a_proxy_joined():
    good = "sha256=" + hex_mac("hush", BODY)
    for joined in (f"{good}, {good}", f"{good},sha256=00", f"sha256=00, {good}", f"{good} x"):
        assert refused(with_line(github(), "x-hub-signature-256", joined), "hush") == "signature"


def test_a_list_of_signatures():
    good = dict(standard(BODY).headers)["webhook-signature"]
    bad = f"v1,{base64_mac('x', 'x')}"
    for listed in (f"{bad} {good}", f"{good} {bad}", f"v2,xx  {good}", f"v1a,xx {good}", f", v1 {good}"):
        assert taken(with_line(standard(BODY), "webhook-signature", listed), SECRET).is_signed
    assert refused(with_line(standard(BODY), "webhook-signature", good.replace("v1,", "v2,")), SECRET) == "signature"


def test_so_many_signatures_are_looked_at():
    good = dict(standard(BODY).headers)["webhook-signature"]
    bad = f"v1,{base64_mac('x', 'x')} "
    assert taken(with_line(standard(BODY), "webhook-signature", bad * 31 + good), SECRET).is_signed
    assert refused(with_line(standard(BODY), "webhook-signature", bad * 32 + good), SECRET) == "signature"
    assert refused(with_line(standard(BODY), "webhook-signature", bad * 20_000 + good), SECRET) == "signature"


def test_two_times_in_a_signature_of_stripe():
    good = dict(stripe().headers)["stripe-signature"]
    for header in (f"t=1,{good}", f"{good},t={NOW}", good.partition(",")[2]):
        assert refused(with_line(stripe(), "stripe-signature", header), "hush") == "signature"


# The delivery's id.


def test_a_name_that_is_signed_is_the_id():
    assert taken(standard(BODY), SECRET).delivery_id == "msg_1"
    assert taken(with_line(standard(BODY), "webhook-signature", "x"), secret_required=False).is_signed is False
    assert taken(stripe(), "hush").delivery_id == "evt_1"
    assert taken(slack(), "hush").delivery_id == "Ev1"
    retried = with_line(slack(ts=NOW + 60), "x-slack-retry-num", "1")
    assert taken(retried, "hush").delivery_id == "Ev1"


def test_the_same_signature_under_another_header_is_the_same_delivery():
    names = {taken(standard(BODY, under=under), SECRET).delivery_id for under in ("webhook", "svix")}
    names.add(taken(with_line(standard(BODY), "x-gitlab-event", "Push Hook"), SECRET).delivery_id)
    assert names == {"msg_1"}


def test_a_name_that_nobody_signed_does_not_stand_for_another_body():
    """Who has one signed body cannot have another delivery taken for a repetition, by sending it under its name."""
    mine, theirs = github(b"mine", name="guessed"), github(b"theirs", name="guessed")
    assert taken(mine, "hush").delivery_id != taken(theirs, "hush").delivery_id
    assert taken(mine, "hush").delivery_id == taken(github(b"mine", name="guessed"), "hush").delivery_id


@pytest.mark.parametrize(
    "body", [b"", b"no json", b"[]", b'{"id":5,"event_id":null}', b'{"id":"","event_id":""}', b"\xff"]
)
def test_a_body_that_names_nothing_is_its_digest(body: bytes):
    assert taken(stripe(body), "hush").delivery_id == digest(body)
    assert taken(slack(body), "hush").delivery_id == digest(body)
    assert taken(custom(body), "hush").delivery_id == digest(body)


@pytest.mark.parametrize("name", ["x" * 201, "a b", "ü", "a\x00b", "x" * 60_000])
def test_a_name_that_is_long_or_odd(name: str):
    for verified in (
        taken(
            standard(BODY, name=name.replace(".", "")) if name.isascii() else stripe(b'{"id":"\xc3\xbc"}'),
            SECRET,
            "hush",
        ),
        taken(github(name=name), "hush"),
        taken(custom(x_key=name), "hush", idempotency_key_header="x-key"),
    ):
        assert len(verified.delivery_id) <= 300
        assert verified.delivery_id.isprintable()
        assert name not in verified.delivery_id


@pytest.mark.parametrize("name", ["", "a.b", "msg_1.1700000000", "."])
def test_a_signed_name_with_a_full_stop(name: str):
    assert refused(standard(BODY, name=name), SECRET) == "signature"


def test_a_signed_text_is_read_in_one_way_only():
    """The body `1700000000.{}` of msg_1 is not `{}` of a message msg_1.<time>."""
    inner = f"{NOW}.{{}}".encode()
    signature = dict(standard(inner, ts=NOW - 10).headers)["webhook-signature"]
    forged = sent(b"{}", webhook_id=f"msg_1.{NOW - 10}", webhook_timestamp=str(NOW), webhook_signature=signature)
    assert refused(forged, SECRET) == "signature"


def test_linear_tried_again_is_the_same_delivery():
    tries = [
        linear(b'{"createdAt":"2026","webhookTimestamp": %d,"data":{"id":1}}' % (NOW * 1000 + n)) for n in range(3)
    ]
    ids = {taken(one, "hush").delivery_id for one in tries}
    assert len(ids) == 1
    other = linear(b'{"createdAt":"2027","webhookTimestamp": %d,"data":{"id":1}}' % (NOW * 1000))
    assert taken(other, "hush").delivery_id not in ids


def test_a_form_of_twilio_written_otherwise_is_the_same_delivery():
    """What Twilio signs has no separators and no order: the id is of what was signed, not of how it was written."""
    first = twilio("CallSid=CA1&Digits=1", "CallSidCA1Digits1")
    for body in ("Digits=1&CallSid=CA1", "CallSid=%43A1&Digits=1&Digits=1", "CallSidC=A1&Digits1="):
        again = first._replace(body=body.encode())
        assert taken(again, "hush").delivery_id == taken(first, "hush").delivery_id
    token = ("i-twilio-idempotency-token", "t1")
    assert taken(twilio("CallSid=CA1&Digits=1", "CallSidCA1Digits1", token), "hush").delivery_id.startswith("t1.")


def test_a_body_of_twilio_that_no_signature_is_over():
    bare = twilio("", "")
    assert taken(bare, "hush").is_signed
    for body in (b"&", b"&&&", b"&" * 2000):
        assert refused(bare._replace(body=body), "hush") == "signature"
    assert refused(with_line(bare, "content-type", "application/json")._replace(body=b"{}"), "hush") == "signature"
    assert refused(with_line(bare, "content-type", "")._replace(body=b"{}"), "hush") == "signature"
    unknown = ("x-twilio-webhooks-signature-settings", "algorithm=HMAC_MD5")
    assert refused(with_line(bare, *unknown), "hush") == "signature"


def test_gitlab_signs_in_one_way_or_the_other():
    signed = with_line(standard(BODY), "x-gitlab-event", "Push Hook")
    assert taken(signed, SECRET) == ("gitlab", "msg_1", True)
    assert refused(signed, "hush") == "signature"
    both = with_line(signed, "x-gitlab-token", "hush")
    assert taken(both, "hush").delivery_id == f"msg_1.{digest(BODY)}"
    assert taken(both, SECRET).delivery_id == "msg_1"
    assert refused(both, "other") == "signature"
    assert refused(both, SECRET, now=NOW + 301) == "time"


# Without a secret.


def test_no_secret_required():
    came = sent(BODY, x_github_event="push", x_github_delivery="72d3162e")
    assert taken(came, secret_required=False) == ("github", f"unsigned.72d3162e.{digest(BODY)}", False)
    assert taken(came, secret_required=False, allowed_sources="github").source == "github"
    assert taken(sent(BODY), secret_required=False) == ("", f"unsigned.{digest(BODY)}", False)
    assert refused(came, secret_required=True) == "unsigned"


def test_a_signature_that_is_shown_is_looked_at_all_the_same():
    assert taken(github(), "hush", secret_required=False).is_signed
    assert refused(github(secret="other"), "hush", secret_required=False) == "signature"
    assert not taken(github(), secret_required=False).is_signed


def test_who_need_not_sign_does_not_take_the_name_of_one_that_does():
    unsigned = with_line(standard(BODY), "webhook-signature", "")._replace(
        headers=[line for line in standard(BODY).headers if line[0] != "webhook-signature"]
    )
    assert taken(unsigned, SECRET, secret_required=False).delivery_id.startswith("unsigned.")
