"""Signatures as their senders publish them."""

import pytest

from tests.webhooks.signing import SECRET, digest, refused, sent, taken

HEX = {
    "github": "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    "slack": "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    "stripe": "e135cdbed3dda004bf8a2fb350f2541d299393c770e0b9e6e319dc595e9072aa",
    "linear": "f1d521af72749eb4f92f201231d911c4c67e5b42319e6422c7cb25349335a544",
}
SLASH = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    "803a0bc887a14d10d2c447fce8b6703c"
)
FORM = "application/x-www-form-urlencoded"
CALL = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
HTTPS = "https://mycompany.com/myapp.php?foo=1&bar=2"
BODY_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"


@pytest.mark.parametrize("under", ["webhook", "svix"])
def test_standard(under: str):
    lines = {
        f"{under}-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        f"{under}-timestamp": "1614265330",
        f"{under}-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    came = sent('{"test": 2432232314}', *lines.items())
    assert taken(came, SECRET, now=1614265330) == ("standard", "msg_p5jXN8AQM9LWM0D4loKWxJek", True)
    assert refused(came._replace(body=came.body + b" "), SECRET, now=1614265330) == "signature"


def test_github():
    came = sent("Hello, World!", x_hub_signature_256="sha256=" + HEX["github"], x_github_delivery="72d3162e-cc78")
    secret = "It's a Secret to Everybody"
    assert taken(came, secret) == ("github", "72d3162e-cc78." + digest("Hello, World!"), True)
    assert refused(came._replace(body=b"Hello, World"), secret) == "signature"


def test_slack():
    came = sent(SLASH, x_slack_signature="v0=" + HEX["slack"], x_slack_request_timestamp="1531420618")
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    assert taken(came, secret, now=1531420618) == ("slack", digest(SLASH), True)
    assert refused(came, secret) == "time"


def test_stripe():
    came = sent('{"id":"evt_1"}', stripe_signature="t=1614265330,v1=" + HEX["stripe"])
    assert taken(came, "whsec_test_secret", now=1614265330) == ("stripe", "evt_1", True)
    assert refused(came, "test_secret", now=1614265330) == "signature"


def test_shopify():
    signature = "qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I="
    body = '{"id":820982911946154508}'
    came = sent(body, x_shopify_hmac_sha256=signature, x_shopify_webhook_id="b54557e4")
    assert taken(came, "hush") == ("shopify", f"b54557e4.{digest(body)}", True)
    assert refused(came, "hash") == "signature"


def test_linear():
    body = '{"action":"create","type":"Comment","webhookTimestamp":1677611643000}'
    came = sent(body, linear_signature=HEX["linear"], linear_delivery="234d1a4e")
    expected = digest('{"action":"create","type":"Comment","webhookTimestamp":}')
    assert taken(came, "SECRET", now=1677611643) == ("linear", expected, True)
    assert refused(came, "SECRET", now=1677611643 + 61) == "time"


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (HTTPS, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        # The port of the scheme may be left out on either side.
        (HTTPS, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ],
)
def test_twilio(url: str, signature: str):
    came = sent(CALL, url=url, content_type=FORM, x_twilio_signature=signature)
    assert taken(came, "12345").source == "twilio"
    assert refused(came._replace(body=came.body.replace(b"1234&", b"1235&")), "12345") == "signature"
    assert refused(came._replace(url=url.replace("foo=1", "foo=2")), "12345") == "signature"


def test_twilio_with_a_key_that_is_repeated():
    body = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234"
    came = sent(body, url=HTTPS, content_type=FORM, x_twilio_signature="IK+Dwps556ElfBT0I3Rgjkr1wJU=")
    assert taken(came, "12345").is_signed


def test_twilio_with_json():
    url = f"{HTTPS}&bodySHA256={BODY_HASH}"
    lines = {"content_type": "application/json", "x_twilio_signature": "a9nBmqA0ju/hNViExpshrM61xv4="}
    came = sent('{"property": "value", "boolean": true}', url=url, **lines)
    assert taken(came, "12345").is_signed
    assert refused(came._replace(body=b'{"property": "other"}'), "12345") == "signature"


def test_gitlab():
    came = sent("{}", x_gitlab_token="hush", x_gitlab_event="Push Hook", idempotency_key="f5e5")
    assert taken(came, "other", "hush") == ("gitlab", "f5e5." + digest("{}"), True)
    assert refused(came, "Hush") == "signature"


def test_custom():
    came = sent("Hello, World!", x_signature=HEX["github"])
    secret = "It's a Secret to Everybody"
    assert taken(came, secret) == ("custom", digest("Hello, World!"), True)
    assert refused(sent("Hello, World!", x_signature="sha256=" + HEX["github"]), secret) == "signature"
