"""What a function gets of a webhook: bytes, URL and header lines as they were sent, but for what is secret."""

from typing import Any

import httpx
import pytest

from shared.bus import streams
from shared.bus.broker import Bus
from tests.platform import Platform
from tests.webhooks.receiver import SECRET, Receiver, standard, told

MAIN = "def main(params, context):\n return {'params': params}"


async def _given(receiver: Receiver, target: str, body: bytes = b"{}", **lines: str) -> dict[str, Any]:
    given: dict[str, Any] = told(await receiver.send(target, body, **standard(body), **lines), 200)
    return given


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b'{"a":1,"a":2}', "ü".encode("latin-1"), b"a=1&a=2"], ids=repr)
async def test_bytes_are_handed_through(receiver: Receiver, body: bytes) -> None:
    hook = await receiver.deploy(secret=SECRET, mode="sync")
    given = await _given(receiver, hook.path, body)
    assert (given["method"], bytes.fromhex(given["body"])) == ("POST", body)


async def test_the_url_is_the_public_one_without_its_signature(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET, secret_required=False, mode="sync")
    signature = hook.url.partition("?")[2]
    given = await _given(receiver, f"{hook.path}?a=%2F&{signature}&b&s%69g=again", host="hooks.example:81")
    assert given["url"].partition("?")[0] == f"http://hooks.example:81{hook.path}"
    assert given["query"] == {"a": "/", "b": ""}
    assert "sig" not in str(given).replace("webhook-signature", "")
    (entry,) = await receiver.logs(hook, 1)
    assert signature.partition("=")[2] not in str(entry)


async def test_what_the_platform_says_nobody_else_does(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET, mode="sync")
    given = await _given(
        receiver, hook.path, x_webhook_provider="stripe", x_trigger_type="http", x_user_id="1",
        connection="x-hop, keep-alive", x_hop="gone", x_own="kept",
    )  # fmt: skip
    lines = given["headers"]
    assert (lines["x-webhook-provider"], lines["x-trigger-type"], lines["x-own"]) == ("standard", "webhook", "kept")
    assert {"x-user-id", "x-hop"} & set(lines) == set()
    assert given["caller"]["type"] == "anonymous"
    assert given["caller"]["user_id"] is None


async def test_one_that_is_not_signed_is_nobodys(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret_required=False, mode="sync")
    given = told(await receiver.send(hook.url, b"{}", x_webhook_provider="github"), 200)
    assert given["headers"]["x-webhook-provider"] == "none"
    marked = told(await receiver.send(hook.url, b"{ }", x_github_event="ping"), 200)
    assert marked["headers"]["x-webhook-provider"] == "none"


async def test_tokens_of_the_platform_and_of_the_sender_reach_nobody(receiver: Receiver, hooked: Platform) -> None:
    hook = await receiver.deploy(secret=SECRET, mode="sync")
    ours = f"Bearer {hooked.token}"
    given = await _given(receiver, hook.path, authorization=ours, x_gitlab_token=SECRET, x_api_key=hooked.token)
    assert {"authorization", "x-gitlab-token", "x-api-key"} & set(given["headers"]) == set()
    theirs = await _given(receiver, hook.path, b"{ }", authorization="Basic dTpw", cookie="a=b", x_api_key="theirs")
    assert [theirs["headers"][name] for name in ("authorization", "cookie", "x-api-key")] == [
        "Basic dTpw", "a=b", "theirs",
    ]  # fmt: skip


async def test_secret_lines_travel_sealed(receiver: Receiver, hooked_bus: Bus) -> None:
    hook = await receiver.deploy(secret=SECRET)
    task_id = told(await receiver.send(hook, b"{}", authorization="Basic c2VjcmV0", **standard(b"{}")), 200)["task_id"]
    last = (await hooked_bus.stream.stream_info(streams.INVOKE)).state.last_seq
    command = (await hooked_bus.stream.get_msg(streams.INVOKE, last)).data or b""
    assert task_id.encode() in command
    assert b"c2VjcmV0" not in command
    assert SECRET.encode() not in command
    await receiver.logs(hook, 1)


async def test_a_function_that_is_no_handler_is_given_params(receiver: Receiver) -> None:
    hook = await receiver.deploy(code=MAIN, secret=SECRET, mode="sync")
    assert told(await receiver.send(hook, b'{"a":1}', **standard(b'{"a":1}')), 200) == {"params": {"a": 1}}


async def test_the_public_door_passes_them_on(receiver: Receiver, hooked: Platform) -> None:
    """One address is enough: what comes to the API's is the same as what comes here."""
    hook = await receiver.deploy(secret=SECRET, mode="sync")
    async with httpx.AsyncClient(base_url=hooked.url, timeout=30) as outside:
        through = Receiver(receiver.owner, outside, receiver.app)
        given = await _given(through, hook.path, b"\xff", host="hooks.example")
        assert given["url"] == f"http://hooks.example{hook.path}"
        assert given["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert (await through.send(hook, b"{}")).status_code == 401


async def test_a_token_of_the_platform_in_the_url_reaches_nobody(receiver: Receiver, hooked: Platform) -> None:
    hook = await receiver.deploy(secret=SECRET, mode="sync")
    escaped = hooked.token.replace("_", "%5F")
    given = await _given(receiver, f"{hook.path}?a=1&token={hooked.token}&t={escaped}&shoal=own")
    assert given["query"] == {"a": "1", "shoal": "own"}
    assert hooked.token.removeprefix("shoal_") not in str(given)
