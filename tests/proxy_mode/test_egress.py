"""Where requests may go: redirects, names that change their mind, certificates."""

import asyncio
import socket
import threading
from pathlib import Path

import httpx
import msgspec
import pytest

from services.executor.modes.proxy.mode import ProxyMode
from shared import egress
from shared.egress import EgressRefused
from shared.egress.lookup import Lookup
from tests.hooks import Hook, always, certificate, response, serving
from tests.proxy_mode.conftest import OPEN, again, call_of, final, opened, success

CLOSED = msgspec.structs.replace(OPEN, egress_private=False)
AUTH = {"type": "bearer", "token": "t-0"}


def to(url: str, status: int = 307) -> bytes:
    return response(status, b"", Location=url)


@pytest.mark.parametrize(
    ("status", "method"), [(301, "POST"), (302, "POST"), (307, "POST"), (308, "POST"), (303, "GET")]
)
async def test_a_redirect_at_the_same_origin(mode: ProxyMode, hook: Hook, status: int, method: str) -> None:
    async def answer(sent, writer) -> None:
        writer.write(to("/there?x=1", status) if sent.path == "/here" else response())

    hook.answer = answer
    success(await mode.run(call_of(hook.url + "/here", auth=AUTH, headers={"X-A": "1"})))
    first, second = hook.received
    assert (second.method, second.path) == (method, "/there?x=1")
    assert second.body == (first.body if method == "POST" else b"")
    assert (second.headers["authorization"], second.headers["x-a"]) == ("Bearer t-0", "1")


async def test_another_origin_gets_no_credentials_and_may_send_back(mode: ProxyMode, hook: Hook) -> None:
    async with serving() as other:
        hook.answer = always(to(other.url + "/there"))
        success(await mode.run(call_of(hook.url + "/here", auth=AUTH, headers={"X-A": "1"})))
        (sent,) = other.received
        assert sent.body == hook.received[0].body
        assert sent.headers["x-execution-id"] == "t-1"
        assert not {"authorization", "x-a"} & sent.headers.keys()


async def test_redirects_have_an_end(mode: ProxyMode, hook: Hook) -> None:
    hook.answer = always(to("/again"))
    outcome = final(await mode.run(call_of(hook.url)))
    assert outcome.message == "RedirectRefused: the webhook redirected more than 5 times"
    assert len(hook.received) == 6


@pytest.mark.parametrize("location", ["ftp://a.example/", "http://u:p@a.example/", "http:///x", "http://a b/", "//"])
async def test_a_redirect_to_what_is_no_address(mode: ProxyMode, hook: Hook, location: str) -> None:
    hook.answer = always(to(location))
    assert final(await mode.run(call_of(hook.url))).error_type == "RedirectRefused"


async def test_a_redirect_without_a_place_is_an_answer(mode: ProxyMode, hook: Hook) -> None:
    hook.answer = always(response(302))
    assert success(await mode.run(call_of(hook.url)))["status_code"] == 302


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    async with serving() as public, serving(host="127.0.0.2") as private:
        public.answer = always(to(f"http://127.0.0.2:{private.port}/"))
        allowed = msgspec.structs.replace(CLOSED, egress_allow="127.0.0.1/32")
        async with opened(allowed) as mode:
            outcome = final(await mode.run(call_of(public.url)))
        assert outcome.message == "EgressRefused: 127.0.0.2 is not on the public internet"
        assert (len(public.received), private.connections) == (1, 0)


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_judged(hook: Hook) -> None:
    """Public at the first look, private at the second: there is no second look between judging and connecting."""
    answers = [["192.0.2.1", "127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    platform = msgspec.structs.replace(CLOSED, egress_allow="127.0.0.1/32")
    client = egress.open_client(platform, timeout_s=10, resolve=resolve)
    url = f"http://hook.example:{hook.port}/"
    assert (await client.post(url, json={})).status_code == 200
    assert (asked, hook.received[0].headers["host"]) == (["hook.example"], f"hook.example:{hook.port}")
    hook.drop()
    with pytest.raises(EgressRefused, match=r"^hook\.example is not on the public internet$"):
        await client.post(url, json={}, headers={"Idempotency-Key": "1"})
    assert (len(asked), hook.connections) == (2, 1)
    await client.aclose()


async def test_addresses_are_tried_in_turn(hook: Hook) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.3", "::1", "127.0.0.1"]

    client = egress.open_client(OPEN, timeout_s=10, resolve=resolve)
    assert (await client.get(f"http://hook.example:{hook.port}/")).status_code == 200
    await client.aclose()


async def test_a_name_server_that_does_not_answer_is_bounded(hook: Hook) -> None:
    platform = msgspec.structs.replace(OPEN, egress_connect_s=0.2)

    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    client = egress.open_client(platform, timeout_s=10, resolve=never)
    with pytest.raises(httpx.ConnectTimeout):
        async with asyncio.timeout(20):
            await client.get(f"http://hook.example:{hook.port}/")
    await client.aclose()


async def test_names_that_are_never_resolved_hold_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def resolver(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        if host != "well.example":
            answered.wait(60)
        return [(0, 0, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    lookup = Lookup()
    dead = [asyncio.create_task(lookup(f"dead-{number}.example", 80)) for number in range(200)]
    try:
        async with asyncio.timeout(20):
            while len(asked) < 64:
                await asyncio.sleep(0.01)
            assert await lookup("well.example", 80) == ["127.0.0.1"]
        assert not any(one.done() for one in dead)
    finally:
        answered.set()
    await asyncio.wait_for(asyncio.gather(*dead), timeout=20)


async def test_proxies_of_the_environment_are_not_asked(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with opened() as mode:
            success(await mode.run(call_of(hook.url)))
        assert (len(hook.received), proxy.connections) == (1, 0)


async def test_the_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    tls, public = certificate(tmp_path, "hook.example")
    names: list[str] = []
    tls.sni_callback = lambda _socket, name, _context: names.append(name)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(tls=tls) as hook:
        trusting = msgspec.structs.replace(OPEN, egress_ca_file=str(public))
        client = egress.open_client(trusting, timeout_s=10, resolve=resolve)
        assert (await client.post(f"https://hook.example:{hook.port}/", json={})).status_code == 200
        assert names == ["hook.example"]
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.post(f"https://other.example:{hook.port}/", json={})
        await client.aclose()
        client = egress.open_client(OPEN, timeout_s=10, resolve=resolve)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.post(f"https://hook.example:{hook.port}/", json={})
        await client.aclose()
        assert len(hook.received) == 1


async def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, hook: Hook) -> None:
    tls, public = certificate(tmp_path, "127.0.0.1")
    async with serving(tls=tls) as safe, opened(msgspec.structs.replace(OPEN, egress_ca_file=str(public))) as mode:
        safe.answer = always(to(hook.url))
        outcome = final(await mode.run(call_of(safe.url)))
        assert outcome.message == "RedirectRefused: the webhook redirected from https to http"
        assert hook.connections == 0
    async with serving(tls=tls) as safe, opened() as mode:
        assert again(await mode.run(call_of(safe.url))).error_type == "ConnectError"
