"""What is sent to a webhook."""

import asyncio
import base64
from typing import Any

import pytest

from services.executor.modes.proxy.mode import ProxyMode
from shared.domain.credentials import place_of
from tests.hooks import Hook, Received, always, response
from tests.proxy_mode.conftest import KEYRING, call_of, final, success


async def test_payload_and_headers(mode: ProxyMode, hook: Hook) -> None:
    headers = {
        "X-A": "1",
        "user-agent": "mine",
        "Content-Type": "application/x-hook+json",
        "X-Execution-ID": "no",
        "X-L": "é",
    }
    success(await mode.run(call_of(hook.url + "/x?y=%20z", headers=headers)))
    (sent,) = hook.received
    assert (sent.method, sent.path) == ("POST", "/x?y=%20z")
    assert sent.body == (
        b'{"params":{"a":1},"context":{"function":{"name":"Hook","slug":"hook","category":""},"user":null}}'
    )
    assert sent.headers["host"] == f"127.0.0.1:{hook.port}"
    assert (sent.headers["x-a"], sent.headers["user-agent"], sent.headers["x-l"]) == ("1", "mine", "é")
    assert sent.headers["content-type"] == "application/x-hook+json"
    assert sent.headers["x-execution-id"] == sent.headers["idempotency-key"] == "t-1"
    assert sent.headers["accept-encoding"] == "identity"
    assert "authorization" not in sent.headers


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"type": "bearer", "token": "t-0"}, {"authorization": "Bearer t-0"}),
        ({"type": "api_key", "key": "k-0"}, {"x-api-key": "k-0"}),
        ({"type": "api_key", "key": "k-0", "header": "X-Token"}, {"x-token": "k-0"}),
        (
            {"type": "basic", "username": "ann", "password": "p:ä"},
            {"authorization": "Basic " + base64.b64encode("ann:p:ä".encode()).decode()},
        ),
        ({"type": "custom", "headers": {"X-A": "a-0", "X-B": "b-0"}}, {"x-a": "a-0", "x-b": "b-0"}),
    ],
    ids=["bearer", "api_key", "api_key-header", "basic", "custom"],
)
async def test_credentials(mode: ProxyMode, hook: Hook, auth: dict[str, Any], expected: dict[str, str]) -> None:
    plain = {"AUTHORIZATION": "not this", "x-api-key": "nor this", "X-Token": "nor that", "X-A": "no"}
    success(await mode.run(call_of(hook.url, auth=auth, headers=plain)))
    assert {name: hook.received[0].headers[name] for name in expected} == expected


async def test_a_cookie_that_is_set_for_one_call_is_not_sent_with_another(mode: ProxyMode, hook: Hook) -> None:
    hook.answer = always(response(Set_Cookie="session=of-acme; Path=/"))
    for _ in range(2):
        assert success(await mode.run(call_of(hook.url)))["headers"]["set-cookie"] == "session=of-acme; Path=/"
    assert ["cookie" in sent.headers for sent in hook.received] == [False, False]


async def test_a_secret_of_another_place_is_not_opened(mode: ProxyMode, hook: Hook) -> None:
    call = call_of(hook.url, auth={"type": "bearer", "token": "t-0"})
    assert call.function is not None
    call.function.auth_config["token"] = KEYRING.seal(b"t-0", place=place_of("acme", 8, "token"))
    assert final(await mode.run(call)).error_type == "SecretUnreadable"
    assert hook.received == []


async def test_connections_are_kept_and_one_that_was_closed_meanwhile_is_made_anew(mode: ProxyMode, hook: Hook) -> None:
    for _ in range(3):
        success(await mode.run(call_of(hook.url)))
    assert hook.connections == 1

    async def hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
        hook.answer = well
        writer.transport.abort()

    async def well(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response())

    hook.answer = hang_up
    success(await mode.run(call_of(hook.url)))
    assert (hook.connections, len(hook.received)) == (2, 5)


async def test_calls_side_by_side_have_a_connection_each(mode: ProxyMode, hook: Hook) -> None:
    all_here = asyncio.Event()

    async def together(_: Received, writer: asyncio.StreamWriter) -> None:
        if hook.at_once == 40:
            all_here.set()
        await all_here.wait()
        writer.write(response())

    hook.answer = together
    await asyncio.wait_for(asyncio.gather(*(mode.run(call_of(hook.url)) for _ in range(40))), timeout=30)
    assert (hook.most_at_once, hook.connections) == (40, 40)
    await asyncio.wait_for(asyncio.gather(*(mode.run(call_of(hook.url)) for _ in range(40))), timeout=30)
    assert hook.connections == 40
