"""Every sender on a whole platform, signed by its own package where it has one: taken, known again, and not forged."""

import asyncio
import hashlib
import hmac
import json
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import standardwebhooks
from slack_sdk.signature import SignatureVerifier
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator

from tests.webhooks.receiver import SECRET, WITHIN_S, Hook, Lines, Receiver, told
from tests.webhooks.sns_signing import TOPIC, Server, notification, subscription

Signed = tuple[bytes, Lines]
UNVERIFIED = {"error": "signature verification failed"}
PLAIN = "It's a Secret to Everybody"


def _mac(body: bytes, secret: str = PLAIN) -> bytes:
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def _standard(url: str) -> Signed:
    at, body = datetime.now(UTC), '{"type":"paid","name":"Ünal"}'
    signature = standardwebhooks.Webhook(SECRET).sign("msg_1", at, body)
    stamp = str(int(at.timestamp()))
    return body.encode(), {"webhook_id": "msg_1", "webhook_timestamp": stamp, "webhook_signature": signature}


def _stripe(url: str) -> Signed:
    body = '{\n  "id": "evt_1",\n  "object": "event"\n}'
    return body.encode(), {"stripe_signature": WebhookSignature.generate_signature_header(body, SECRET)}


def _slack(url: str) -> Signed:
    body, stamp = '{"type":"event_callback","event_id":"Ev1"}', str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body) or ""
    return body.encode(), {"x_slack_request_timestamp": stamp, "x_slack_signature": signature}


def _twilio(url: str) -> Signed:
    """The form has a name twice, and characters that are percent-encoded."""
    fields = [("CallSid", "CA1"), ("From", "+14158675309"), ("Body", "grüße & mehr")]
    signature = RequestValidator(SECRET).compute_signature(url, dict(fields))
    kind = "application/x-www-form-urlencoded"
    return urlencode(fields).encode(), {"content_type": kind, "x_twilio_signature": signature}


def _github(url: str) -> Signed:
    body = b'{"action":"opened"}'
    return body, {
        "x_github_event": "issues",
        "x_github_delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x_hub_signature_256": f"sha256={_mac(body, SECRET).hex()}",
    }


def _shopify(url: str) -> Signed:
    body = b'{"id":820982911946154508}'
    signature = b64encode(_mac(body, SECRET)).decode()
    return body, {"x_shopify_topic": "orders/create", "x_shopify_webhook_id": "w1", "x_shopify_hmac_sha256": signature}


def _linear(url: str) -> Signed:
    body = json.dumps({"action": "create", "webhookTimestamp": int(time.time() * 1000)}).encode()
    return body, {"linear_delivery": "d1", "linear_event": "Issue", "linear_signature": _mac(body, SECRET).hex()}


def _gitlab(url: str) -> Signed:
    return b'{"object_kind":"push"}', {"x_gitlab_event": "Push Hook", "idempotency_key": "k1", "x_gitlab_token": SECRET}


def _custom(url: str) -> Signed:
    body = b"\xff\xfe not UTF-8 \x00"
    return body, {"x_signature": _mac(body, SECRET).hex()}


SENDERS: dict[str, Callable[[str], Signed]] = {
    "standard": _standard,
    "stripe": _stripe,
    "slack": _slack,
    "twilio": _twilio,
    "github": _github,
    "shopify": _shopify,
    "linear": _linear,
    "gitlab": _gitlab,
    "custom": _custom,
}


def _changed(body: bytes, lines: Lines) -> Signed:
    """By somebody on the way; a token says nothing of a body."""
    if "x_gitlab_token" in lines:
        return body, {**lines, "x_gitlab_token": "guessed"}
    return body[:-1] + bytes([body[-1] ^ 1]), lines


@pytest.mark.parametrize("source", SENDERS)
async def test_a_sender_is_believed_and_known_again(receiver: Receiver, source: str) -> None:
    hook = await receiver.deploy(secret=SECRET, allowed_sources=source, mode="sync")
    body, lines = SENDERS[source](f"{receiver.anyone.base_url}{hook.path}")
    forged, theirs = _changed(body, lines)
    assert told(await receiver.send(hook, forged, **theirs), 401) == UNVERIFIED
    given = told(await receiver.send(hook, body, **lines), 200)
    assert bytes.fromhex(given["body"]) == body
    assert given["headers"]["x-webhook-provider"] == source
    assert given["headers"]["x-trigger-type"] == "webhook"
    repeated = await receiver.send(hook, body, **lines)
    assert told(repeated, 200)["duplicate"] is True
    assert repeated.headers["x-shoal-duplicate"] == "true"
    assert SECRET not in json.dumps(given)
    (entry,) = await receiver.logs(hook, 1)
    assert SECRET not in json.dumps(entry)


@pytest.mark.parametrize("source", SENDERS)
async def test_another_secret_is_not_believed(receiver: Receiver, source: str) -> None:
    hook = await receiver.deploy(secret="whsec_" + "b3RoZXI" * 8)
    body, lines = SENDERS[source](f"{receiver.anyone.base_url}{hook.path}")
    assert told(await receiver.send(hook, body, **lines), 401) == UNVERIFIED


async def test_the_public_url_is_signed_whatever_the_query_holds(receiver: Receiver) -> None:
    """Twilio signs the URL as it was given it: with our own signature in it, and with the user's own parameters."""
    hook = await receiver.deploy(secret=SECRET, secret_required=False)
    target = f"{hook.path}?a=%20b&{hook.url.partition('?')[2]}"
    body, lines = _twilio(f"{receiver.anyone.base_url}{target}")
    assert told(await receiver.send(target, body, **lines), 200)["duplicate"] is False
    assert told(await receiver.send(hook.path, body, **lines), 401) == UNVERIFIED


async def test_slack_is_told_its_challenge_and_nobody_else(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    body = '{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}'

    def lines(secret: str) -> Lines:
        stamp = str(int(time.time()))
        signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body) or ""
        return {"x_slack_request_timestamp": stamp, "x_slack_signature": signature}

    assert told(await receiver.send(hook, body.encode(), **lines("other")), 401) == UNVERIFIED
    answer = await receiver.send(hook, body.encode(), **lines(SECRET))
    assert told(answer, 200) == {"challenge": json.loads(body)["challenge"]}
    assert "x-invocation-id" not in answer.headers
    await _ran(receiver, hook, 0)


async def test_a_challenge_is_only_slacks(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    body = b'{"challenge":"c","type":"url_verification"}'
    answer = await receiver.send(hook, body, x_signature=_mac(body, SECRET).hex())
    assert told(answer, 200)["duplicate"] is False


class TestSns:
    @pytest.fixture
    async def hook(self, receiver: Receiver) -> Hook:
        return await receiver.deploy(allowed_sources="sns", sns_topics=[TOPIC])

    async def test_a_subscription_is_confirmed(self, receiver: Receiver, hook: Hook, sns: Server) -> None:
        asked = subscription(sns.hook.url)
        answer = await _sent_by_sns(receiver, hook, sns.body(asked))
        assert told(answer, 200) == {"ok": True}
        confirmed = [path for path in sns.fetched if "Action=ConfirmSubscription" in path]
        assert confirmed == [asked["SubscribeURL"].removeprefix(sns.hook.url)]
        await _ran(receiver, hook, 0)

    async def test_a_notification_sets_off_one_run(self, receiver: Receiver, hook: Hook, sns: Server) -> None:
        body = sns.body(notification())
        first = await _sent_by_sns(receiver, hook, body)
        assert told(first, 200)["duplicate"] is False
        tried_again = json.loads(body)
        again = await _sent_by_sns(receiver, hook, json.dumps(tried_again).encode())
        assert told(again, 200) == {"ok": True, "duplicate": True, "task_id": first.headers["x-invocation-id"]}
        (entry,) = await receiver.logs(hook, 1)
        assert entry["consoleLogs"][0]["message"] == body.hex()

    async def test_the_end_of_a_subscription_is_taken_note_of(
        self, receiver: Receiver, hook: Hook, sns: Server
    ) -> None:
        told_off = subscription(sns.hook.url, Type="UnsubscribeConfirmation")
        assert told(await _sent_by_sns(receiver, hook, sns.body(told_off)), 200) == {"ok": True}
        await _ran(receiver, hook, 0)

    async def test_another_topic_or_a_changed_message_is_401(self, receiver: Receiver, hook: Hook, sns: Server) -> None:
        fetched = len(sns.fetched)
        other = sns.body(subscription(sns.hook.url, TopicArn=TOPIC + "-of-somebody-else"))
        assert told(await _sent_by_sns(receiver, hook, other), 401) == UNVERIFIED
        changed = sns.body(notification()).replace(b"Records", b"records")
        assert told(await _sent_by_sns(receiver, hook, changed), 401) == UNVERIFIED
        for junk in (b"", b"null", b"[]", b"\xff", b'{"Type":"Notification"}'):
            assert told(await _sent_by_sns(receiver, hook, junk), 401) == UNVERIFIED
        assert not [path for path in sns.fetched[fetched:] if "Action" in path]

    async def test_who_allows_more_than_sns_is_told_by_its_header(self, receiver: Receiver, sns: Server) -> None:
        hook = await receiver.deploy("both", secret=SECRET, sns_topics=[TOPIC])
        assert told(await _sent_by_sns(receiver, hook, sns.body(notification())), 200)["duplicate"] is False


async def _sent_by_sns(receiver: Receiver, hook: Hook, body: bytes) -> Any:
    return await receiver.send(hook, body, x_amz_sns_message_type="Notification", content_type="text/plain")


async def _ran(receiver: Receiver, hook: Hook, count: int) -> None:
    """So many runs before the one that is made now."""
    body = b'{"last":true}'
    signature = {"x_signature": _mac(body, SECRET).hex()}
    await receiver.deploy(hook.name, secret=SECRET)
    async with asyncio.timeout(WITHIN_S):
        while (await receiver.send(hook, body, **signature)).status_code != 200:
            await asyncio.sleep(0.02)
    assert len(await receiver.logs(hook, count + 1)) == count + 1
