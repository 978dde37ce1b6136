"""Messages of SNS: signed by a certificate that a real server has, and by nobody else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.triggers.sns import NotFromSns, Sns
from services.triggers.sns_certificates import certificate_of
from services.triggers.sns_web import Web
from shared.config import ConfigError, Platform
from shared.domain.problem import Problem
from tests.hooks import Hook, always, certificate, response, serving
from tests.webhooks.sns_signing import FILE, PLATFORM, TOPIC, Server, Signer, notification, now, subscription


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving() as hook:
        yield hook


@pytest.fixture
async def server(hook: Hook) -> AsyncIterator[Server]:
    async with Server(hook, Signer()) as server:
        yield server


async def refused(server: Server, body: bytes, *, topics: tuple[str, ...] = (TOPIC,)) -> str:
    with pytest.raises(NotFromSns) as caught:
        await server.sns.verified(body, topics=topics)
    return str(caught.value)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("parts", [{}, {"Subject": "Amazon S3 Notification"}])
async def test_a_notification(server: Server, version: str, parts: dict[str, str]):
    told = notification(**parts)
    message = await server.sns.verified(server.body(told, version=version), topics=["other", TOPIC])
    assert (message.type, message.message_id, message.topic_arn) == ("Notification", told["MessageId"], TOPIC)
    assert (message.message, message.subject) == (told["Message"], parts.get("Subject"))


async def test_a_certificate_is_fetched_once(server: Server):
    bodies = [server.body(notification()) for _ in range(20)]
    await asyncio.gather(*(server.sns.verified(body, topics=[TOPIC]) for body in bodies))
    await server.sns.verified(server.body(notification()), topics=[TOPIC])
    assert server.fetched == [FILE]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("part", ["Message", "MessageId", "Subject", "Timestamp"])
async def test_a_changed_part(server: Server, version: str, part: str):
    signed = msgspec.json.decode(server.body(notification(Subject="s"), version=version))
    changed = {**signed, part: now(ago_s=60) if part == "Timestamp" else "other"}
    assert "signature" in await refused(server, msgspec.json.encode(changed))


async def test_a_subject_that_nobody_signed(server: Server):
    signed = msgspec.json.decode(server.body(notification()))
    assert "signature" in await refused(server, msgspec.json.encode({**signed, "Subject": "added"}))
    signed = msgspec.json.decode(server.body(notification(Subject="s")))
    del signed["Subject"]
    assert "signature" in await refused(server, msgspec.json.encode(signed))


async def test_a_hash_that_was_not_signed_with(server: Server):
    for version, other in (("1", "2"), ("2", "1")):
        signed = msgspec.json.decode(server.body(notification(), version=version))
        assert "signature" in await refused(server, msgspec.json.encode({**signed, "SignatureVersion": other}))


async def test_topics(server: Server):
    body = server.body(notification())
    for topics in ((), (TOPIC + "2",), (TOPIC[:-1],)):
        assert await refused(server, body, topics=topics) == "This topic may not send here"
    assert server.fetched == []


async def test_times(server: Server):
    assert await server.sns.verified(server.body(notification(Timestamp=now(ago_s=3500))), topics=[TOPIC])
    for ago_s in (3660, 10**7, -400):
        assert "old" in await refused(server, server.body(notification(Timestamp=now(ago_s=ago_s))))
    for odd in ("2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "0000-01-01T00:00:00Z"):
        assert "when" in await refused(server, server.body(notification(Timestamp=odd)))


async def test_another_key(server: Server):
    body = server.body(notification())
    server.signer = Signer(bits=3072)
    assert "signature" in await refused(server, body)


@pytest.mark.parametrize("days", [(-2, -1), (1, 2)])
async def test_a_certificate_that_is_not_valid_now(hook: Hook, days: tuple[int, int]):
    async with Server(hook, Signer(days=days)) as server:
        assert await refused(server, server.body(notification())) == "The certificate is not valid now"


@pytest.mark.parametrize("signer", [Signer(bits=1024), Signer(curve=True)])
async def test_a_certificate_with_another_kind_of_key(hook: Hook, signer: Signer):
    async with Server(hook, signer) as server:
        assert await refused(server, server.body(notification())) == "The certificate is not one of SNS"


NO_CERTIFICATE = [
    b"",
    b"no certificate",
    b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
    b"x" * (70 << 10),
]


@pytest.mark.parametrize("pem", NO_CERTIFICATE, ids=len)
async def test_what_is_no_certificate_is_not_asked_for_again(server: Server, pem: bytes):
    body = server.body(notification())
    server.signer.pem = pem
    for _ in range(3):
        assert "certificate" in await refused(server, body)
    assert server.fetched == [FILE]


@pytest.mark.parametrize(
    ("name", "also", "is_of_sns"),
    [
        ("sns.amazonaws.com", "", True),
        ("sns.us-east-1.amazonaws.com", "", True),
        ("sns.cn-north-1.amazonaws.com.cn", "", True),
        ("Amazon", "sns.eu-west-1.amazonaws.com", True),
        ("s3.amazonaws.com", "", False),
        ("sns.amazonaws.com.evil.test", "evil.test", False),
        ("*.amazonaws.com", "xsns.amazonaws.com", False),
    ],
)
def test_in_whose_name_a_certificate_of_aws_is(name: str, also: str, *, is_of_sns: bool):
    pem = Signer(name=name, also=also).pem
    assert certificate_of(pem, is_operators=True)
    if is_of_sns:
        assert certificate_of(pem, is_operators=False)
    else:
        with pytest.raises(NotFromSns, match="not one of SNS"):
            certificate_of(pem, is_operators=False)


def signing_at(url: str) -> bytes:
    return msgspec.json.encode({**Signer().signed(notification()), "SigningCertURL": url})


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com" + FILE,
        "https://sns.us-east-1.amazonaws.com.evil.test" + FILE,
        "https://sns.us-east-1.amazonaws.com:8443" + FILE,
        "https://sns.us-east-1.amazonaws.com@evil.test" + FILE,
        "https://evil.test/sns.us-east-1.amazonaws.com" + FILE,
        "https://evil.test#.sns.us-east-1.amazonaws.com" + FILE,
        "https://evil.test\\.sns.us-east-1.amazonaws.com" + FILE,
        "https://sns.us-east-1.amazonaws.com" + FILE + "?x=.pem",
        "https://sns.us-east-1.amazonaws.com/bucket" + FILE,
        "https://sns.us-east-1.amazonaws.com/../x" + FILE,
        "https://sns.us-east-1.amazonaws.com/x.pem",
        "https://sns.us-east-1.amazonaws.com",
        "https://sns.s3.amazonaws.com" + FILE,
        "https://sns.s3-us-west-2.amazonaws.com" + FILE,
        "https://sns.s3.us-west-2.amazonaws.com" + FILE,
        "https://s3.us-west-2.amazonaws.com/sns" + FILE,
        "https://sns.amazonaws.com" + FILE,
        "http://127.0.0.1:1" + FILE,
        "http://moto:5000.evil.test" + FILE,
        "http://moto:50000" + FILE,
        "http://moto:5000/bucket" + FILE,
        "ftp://moto:5000" + FILE,
        "",
    ],
)
async def test_where_no_certificate_is_fetched_from(server: Server, url: str):
    assert await refused(server, signing_at(url)) == "The message names a URL that is not of SNS"
    assert server.fetched == []


@pytest.mark.parametrize(
    ("place", "is_operators"),
    [
        ("https://sns.us-east-1.amazonaws.com", False),
        ("https://sns.us-gov-west-1.amazonaws.com", False),
        ("https://sns.ap-southeast-2.amazonaws.com", False),
        ("https://sns.cn-north-1.amazonaws.com.cn", False),
        ("http://moto:5000", True),
        ("https://moto:5000", True),
        ("http://moto:5000/_aws/sns", True),
    ],
)
def test_where_certificates_are_fetched_from(place: str, is_operators: bool):
    web = Web(PLATFORM, "localstack:4566,moto:5000")
    assert web.certificate(place + FILE) == (place + FILE, is_operators)
    asked = place.removesuffix("/_aws/sns") + "/?Action=ConfirmSubscription&Token=x"
    assert web.subscription(asked) == (asked, is_operators)


@pytest.mark.parametrize("hosts", ["moto", "http://moto:5000", "moto:5000/x", "a@moto:5000", "moto:5000;x:1"])
def test_hosts_that_are_none(hosts: str):
    with pytest.raises(ConfigError, match="SHOAL_TRIGGERS_SNS_HOSTS"):
        Sns(PLATFORM, hosts=hosts)


async def test_only_the_hosts_that_are_named_may_be_in_a_private_network(hook: Hook):
    """The guard is on the way to every other name, whatever it resolves to."""
    other = Web(PLATFORM, "127.0.0.1:1")
    try:
        with pytest.raises(Problem, match="EgressRefused") as caught:
            await other.get(other.certificate("http://127.0.0.1:1" + FILE)._replace(url=hook.url, is_operators=False))
        assert caught.value.code == "unavailable"
        assert hook.connections == 0
    finally:
        await other.close()


async def test_a_server_that_is_away_may_be_back(server: Server):
    """A message that cannot be verified just now is refused so that SNS tries again."""
    body = server.body(notification())
    answer, server.hook.answer = server.hook.answer, always(response(503, b"{}"))
    with pytest.raises(Problem) as caught:
        await server.sns.verified(body, topics=[TOPIC])
    assert caught.value.code == "unavailable"
    server.hook.answer = answer
    assert await server.sns.verified(body, topics=[TOPIC])


async def test_what_was_fetched_is_believed_while_it_cannot_be_again(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.triggers.sns_certificates._KEPT_S", 0.0)
    assert await server.sns.verified(server.body(notification()), topics=[TOPIC])
    server.hook.answer = always(response(500, b"{}"))
    assert await server.sns.verified(server.body(notification()), topics=[TOPIC])
    assert server.fetched == [FILE] * 2


async def test_a_redirect_is_not_followed(server: Server):
    server.hook.answer = always(response(302, b"", Location=server.hook.url + FILE))
    assert "no certificate" in await refused(server, server.body(notification()))
    assert len(server.fetched) == 1


async def test_so_many_certificates_a_minute(server: Server):
    """Who knows a topic's name can have URLs asked for, but not without end; what is known goes on being believed."""
    known = server.body(notification())
    assert await server.sns.verified(known, topics=[TOPIC])
    others = [signing_at(f"{server.hook.url}/SimpleNotificationService-{number}.pem") for number in range(60)]
    outcomes = await asyncio.gather(*(server.sns.verified(o, topics=[TOPIC]) for o in others), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NotFromSns, Problem}
    assert len(server.fetched) == 30
    assert await server.sns.verified(known, topics=[TOPIC])


async def test_over_tls_the_server_is_known_by_its_certificate(tmp_path: Path):
    tls, authority = certificate(tmp_path, "127.0.0.1")
    async with serving(tls=tls) as hook, Server(hook, Signer()) as stranger:
        with pytest.raises(Problem, match="ConnectError"):
            await stranger.sns.verified(stranger.body(notification()), topics=[TOPIC])
        believing = Platform(nats_url="", mongodb_url="", egress_ca_file=str(authority))
        async with Server(hook, Signer(), platform=believing) as server:
            assert await server.sns.verified(server.body(notification()), topics=[TOPIC])


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_subscription_is_confirmed(server: Server, version: str):
    body = server.body(subscription(server.hook.url), version=version)
    message = await server.sns.verified(body, topics=[TOPIC])
    await server.sns.confirm(message)
    assert server.fetched == [FILE, f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"]


@pytest.mark.parametrize("part", ["Token", "SubscribeURL", "Message"])
async def test_a_changed_subscription(server: Server, part: str):
    signed = msgspec.json.decode(server.body(subscription(server.hook.url)))
    assert "signature" in await refused(server, msgspec.json.encode({**signed, part: "other"}))
    del signed[part]
    await refused(server, msgspec.json.encode(signed))


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("SubscriptionConfirmation", "http://127.0.0.1:1/?Action=ConfirmSubscription"),
        ("SubscriptionConfirmation", "https://evil.test/?Action=ConfirmSubscription"),
        ("SubscriptionConfirmation", "{own}/?Action=DeleteTopic"),
        ("SubscriptionConfirmation", "{own}/x?Action=ConfirmSubscription"),
        ("UnsubscribeConfirmation", "{own}/?Action=ConfirmSubscription"),
    ],
)
async def test_what_is_not_confirmed(server: Server, kind: str, url: str):
    told = subscription("", Type=kind, SubscribeURL=url.format(own=server.hook.url))
    message = await server.sns.verified(server.body(told), topics=[TOPIC])
    with pytest.raises(NotFromSns):
        await server.sns.confirm(message)
    assert server.fetched == [FILE]


async def test_a_confirmation_that_sns_does_not_take(server: Server):
    told = subscription("", SubscribeURL=f"{server.hook.url}/?x=1&Action=ConfirmSubscription")
    message = await server.sns.verified(server.body(told), topics=[TOPIC])
    with pytest.raises(Problem) as caught:
        await server.sns.confirm(message)
    assert caught.value.code == "unavailable"


@pytest.mark.parametrize(
    "parts",
    [
        {"Type": "Other"},
        {"MessageId": ""},
        {"MessageId": "a\nb"},
        {"MessageId": 5},
        {"TopicArn": TOPIC + "\nType"},
        {"Subject": "a\nTimestamp"},
        {"Timestamp": "yesterday"},
        {"Message": None},
    ],
)
async def test_parts_that_sns_does_not_have(server: Server, parts: dict[str, Any]):
    assert await refused(server, server.body(notification(**parts))) == "This is no message of SNS"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"Type":"Notification"}'])
async def test_bodies_that_are_none(server: Server, body: bytes):
    assert await refused(server, body) == "This is no message of SNS"
