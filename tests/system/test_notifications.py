"""send_notification by a whole platform: to a real mail server and a real HTTP server."""

import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.platform import running
from tests.system.conftest import Call
from tests.system.servers import Mailbox, Posted, mail_server, provider

MAIL = {"channel": "email", "subject": "Invoice", "text": "It is due."}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with mail_server() as opened:
        yield opened


@pytest.fixture(scope="module")
def posts() -> Iterator[tuple[list[Posted], str]]:
    with provider() as opened:
        yield opened


@pytest.fixture(scope="module")
async def notifying(
    tmp_path_factory: pytest.TempPathFactory, mailbox: tuple[Mailbox, int], posts: tuple[list[Posted], str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A platform that knows both servers."""
    settings = {
        "SHOAL_SMTP_URL": f"smtp://127.0.0.1:{mailbox[1]}",
        "SHOAL_SMTP_FROM": "Shoal <shoal@example.org>",
        "SHOAL_SMS_URL": f"{posts[1]}/sms",
        "SHOAL_SMS_TOKEN": "sms-token",
        "SHOAL_PUSH_URL": f"{posts[1]}/push",
        "SHOAL_EGRESS_ALLOW": "127.0.0.0/8",
        "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.1",
    }
    folder = tmp_path_factory.mktemp("notifying") / "data"
    async with running(folder, **settings) as platform, platform.client() as client:
        yield client


async def sent(http: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await http.post("/api/functions/send_notification/execute/", json={"params": params})
    body: dict[str, Any] = answer.json()
    return body


async def test_an_email_arrives_with_text_and_html(notifying: httpx.AsyncClient, mailbox: tuple[Mailbox, int]):
    to = ["ada@example.org", "grace@example.org", "ada@example.org"]
    body = await sent(notifying, **MAIL | {"to": to, "subject": "Rechnung für Ada", "html": "<p>Fällig.</p>"})
    assert body["status"] == "SUCCESS", body
    message = mailbox[0].message_to("ada@example.org")
    assert message["from"] == "Shoal <shoal@example.org>"
    assert message["to"] == "ada@example.org, grace@example.org"
    assert message["subject"] == "Rechnung für Ada"
    assert message["message-id"] == f"<{body['task_id']}@example.org>"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().strip() == "It is due."
    assert html.get_content().strip() == "<p>Fällig.</p>"
    assert body["data"] == {
        "channel": "email",
        "message_id": message["message-id"],
        "accepted": to[:2],
        "refused": {},
    }


async def test_one_that_is_refused_for_now_is_sent_at_a_later_try(
    notifying: httpx.AsyncClient, mailbox: tuple[Mailbox, int]
):
    body = await sent(notifying, **MAIL | {"to": "busy@example.org"})
    assert body["status"] == "SUCCESS", body
    assert mailbox[0].asked["busy@example.org"] == 3
    assert mailbox[0].message_to("busy@example.org")["message-id"] == f"<{body['task_id']}@example.org>"


async def test_one_that_is_refused_for_good_is_not_tried_again(
    notifying: httpx.AsyncClient, mailbox: tuple[Mailbox, int]
):
    body = await sent(notifying, **MAIL | {"to": "gone@example.org"})
    assert body["result"] == "RecipientsRefused: gone@example.org: 550 No such user"
    assert mailbox[0].asked["gone@example.org"] == 1
    body = await sent(notifying, **MAIL | {"to": "late@example.org"})
    assert body["result"] == "MailServerRefused: 554 Not this content"
    body = await sent(notifying, **MAIL | {"to": ["gone2@example.org", "here@example.org"]})
    assert body["data"]["accepted"] == ["here@example.org"]
    assert body["data"]["refused"] == {"gone2@example.org": "550 No such user"}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (MAIL | {"to": "ada@example.org\r\nBcc: eve@example.org"}, "to: must be an e-mail address"),
        (MAIL | {"to": ["ada@example.org", "eve@x, mallory@y"]}, "to[1]: must be an e-mail address"),
        (MAIL | {"to": "ada@example.org>\nRCPT TO:<eve@example.org"}, "to: must be an e-mail address"),
        (MAIL | {"to": "ada@example.org", "subject": "Hi\r\nBcc: eve@example.org"}, "subject: must be one line"),
        (MAIL | {"to": "ada@example.org", "subject": "Hi\u2028Bcc: eve@example.org"}, "subject: must be one line"),
        (MAIL | {"to": "ada@example.org", "cc": "eve@example.org"}, "cc: There is no such field"),
        (MAIL | {"to": []}, "to: Expected `array` of length >= 1"),
        (MAIL | {"to": ["ada@example.org"] * 51}, "to: Expected `array` of length <= 50"),
        ({"channel": "email", "to": "ada@example.org", "text": "x"}, "subject: an e-mail has one"),
        ({"channel": "email", "to": "ada@example.org", "subject": "x"}, "text: an e-mail has a text, or html"),
        ({"channel": "pigeon", "to": "ada"}, "channel: Invalid enum value 'pigeon'"),
        ({"channel": "sms", "to": "ada@example.org", "text": "x"}, "to: must be a phone number"),
        ({"channel": "sms", "to": "+44 20 7946 0000", "text": ""}, "text: must be 1 to"),
        ({"channel": "push", "to": "device 1", "text": "x"}, "to: must be a device token"),
    ],
)
async def test_what_could_do_harm_is_refused_by_its_field(
    notifying: httpx.AsyncClient, mailbox: tuple[Mailbox, int], params: dict[str, Any], said: str
):
    before = len(mailbox[0].received)
    body = await sent(notifying, **params)
    assert body["result"].startswith(f"InvalidParams: {said}"), body
    assert len(mailbox[0].received) == before


async def test_text_that_looks_like_commands_stays_text(notifying: httpx.AsyncClient, mailbox: tuple[Mailbox, int]):
    text = "one\r\n.\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: x\r\n\r\nx"
    assert (await sent(notifying, **MAIL | {"to": "dots@example.org", "text": text}))["status"] == "SUCCESS"
    plain = mailbox[0].message_to("dots@example.org").get_body(("plain",))
    assert plain is not None
    assert "RCPT TO:<victim@example.org>" in plain.get_content()
    assert not [to for to, _ in mailbox[0].received if "victim@example.org" in to]


async def test_sms_and_push_are_posted_to_their_providers(
    notifying: httpx.AsyncClient, posts: tuple[list[Posted], str]
):
    body = await sent(notifying, channel="sms", to=["+44 20 7946 0000", "+1 555 0100"], text="Hello")
    assert body["data"] == {"channel": "sms", "status": 200, "response": {"queued": 2}}
    request = posts[0][-1]
    assert request.path == "/sms"
    assert request.headers["authorization"] == "Bearer sms-token"
    assert request.headers["idempotency-key"] == body["task_id"]
    assert request.body == {"id": body["task_id"], "to": ["+44 20 7946 0000", "+1 555 0100"], "text": "Hello"}
    body = await sent(notifying, channel="push", to="token-1", subject="News", text="Hello", data={"badge": 1})
    assert body["status"] == "SUCCESS"
    request = posts[0][-1]
    assert "authorization" not in request.headers
    assert (request.path, request.body["title"], request.body["data"]) == ("/push", "News", {"badge": 1})


async def test_a_provider_that_cannot_now_is_asked_again(notifying: httpx.AsyncClient, posts: tuple[list[Posted], str]):
    body = await sent(notifying, channel="sms", to="+1 555 0100", text="busy")
    assert body["status"] == "SUCCESS", body
    tries = [post for post in posts[0] if post.body["text"] == "busy"]
    assert [post.headers["idempotency-key"] for post in tries] == [body["task_id"]] * 3
    body = await sent(notifying, channel="sms", to="+1 555 0100", text="wrong")
    assert body["result"] == 'ProviderRefused: The provider answered 400: {"fault":"wrong"}'
    assert len([post for post in posts[0] if post.body["text"] == "wrong"]) == 1


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
async def test_a_way_that_is_not_open_is_named(call: Call, channel: str):
    to = {"email": "ada@example.org", "sms": "+1 555 0100", "push": "token"}[channel]
    subject = {"email": {"subject": "x"}}.get(channel, {})
    body = (await call("send_notification", {"channel": channel, "to": to, "text": "x", **subject})).json()
    assert body["result"].startswith(f"NotConfigured: The operator has not configured '{channel}'")


async def test_a_mail_server_that_is_away_is_tried_as_often_as_there_are_retries(tmp_path_factory: Any):
    with socket.socket() as taken:  # nobody else gets its port, and nobody listens there
        taken.bind(("127.0.0.1", 0))
        settings = {
            "SHOAL_SMTP_URL": f"smtp://127.0.0.1:{taken.getsockname()[1]}",
            "SHOAL_SMTP_FROM": "shoal@example.org",
            "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.01",
            "SHOAL_EXECUTOR_RETRY_MOST_S": "0.05",
        }
        folder = tmp_path_factory.mktemp("away") / "data"
        async with running(folder, **settings) as platform, platform.client() as http, httpx.AsyncClient() as page:
            body = await sent(http, **MAIL | {"to": "ada@example.org"})
            assert body["result"] == "MailServerUnavailable: The mail server cannot be reached, or has gone away"
            metrics = (await page.get(platform.ready["services"]["executor"]["metrics"])).text
    (line,) = [line for line in metrics.splitlines() if line.startswith("shoal_attempts_retried_total{")]
    assert line.endswith(" 5.0")
