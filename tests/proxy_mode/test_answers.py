"""What comes back from a webhook, well or badly."""

import asyncio
import base64
import encodings
import gzip
import time
from email.utils import formatdate

import msgspec
import pytest

from services.executor.mode import Again, Crowded
from services.executor.modes.proxy import forwarding
from services.executor.modes.proxy.mode import ProxyMode
from shared.domain.outcome import Outcome
from tests.hooks import Hook, Received, always, response, serving
from tests.proxy_mode.conftest import OPEN, again, call_of, final, opened, success


@pytest.mark.parametrize(
    ("kind", "body", "kept"),
    [
        ("application/json", b'{"a": [1, 2.0]}', {"body": {"a": [1, 2.0]}}),
        ("application/problem+json; charset=utf-8", b"[]", {"body": []}),
        ("application/json", b"{broken", {"body": "{broken"}),
        ("application/json", b"[" * 5000, {"body": "[" * 5000}),
        ("text/plain", "grün".encode(), {"body": "grün"}),
        ("text/plain; charset=iso-8859-1", "grün".encode("latin-1"), {"body": "grün"}),
        ("text/html; charset=nonsense", b"x", {"body": "x"}),
        ("text/html; charset=Shift_JIS", "日".encode("shift-jis"), {"body": "日"}),
        ("text/html; charset=koi8-u", "ї".encode("koi8-u"), {"body": "ї"}),
        ("text/html; charset=UTF8", "ї".encode(), {"body": "ї"}),
        ("text/html; charset=zlib", b"x", {"body": "x"}),
        ("text/html; charset=undefined", b"x", {"body": "x"}),
        ("", "grün".encode(), {"body": "grün"}),
        ("", b"\xff\xfe", {"body": base64.b64encode(b"\xff\xfe").decode(), "encoding": "base64"}),
        ("image/png", b"\x89PNG", {"body": base64.b64encode(b"\x89PNG").decode(), "encoding": "base64"}),
        ("application/json", b"", {"body": ""}),
    ],
)
async def test_bodies(  # noqa: PLR0917 - fixtures and cases
    mode: ProxyMode, hook: Hook, kind: str, body: bytes, kept: dict[str, object]
) -> None:
    hook.answer = always(response(201, body, kind=kind, X_Two="1"))
    result = success(await mode.run(call_of(hook.url)))
    assert result.pop("status_code") == 201
    assert result.pop("headers")["x-two"] == "1"
    assert result == kept


@pytest.mark.parametrize("charset", ["punycode", "PunyCode", "idna", "x-punycode"])
async def test_a_charset_that_takes_hours_is_none(mode: ProxyMode, hook: Hook, charset: str) -> None:
    body = b"a-" + b"9" * 200_000
    hook.answer = always(response(200, body, kind=f"text/plain; charset={charset}"))
    started = time.process_time()
    assert success(await mode.run(call_of(hook.url, result_bytes=1 << 20)))["body"] == body.decode()
    assert time.process_time() - started < 2


async def test_names_of_charsets_are_not_gathered(mode: ProxyMode, hook: Hook) -> None:
    known = len(encodings._cache)  # type: ignore[attr-defined]
    for number in range(20):
        hook.answer = always(response(200, b"x", kind=f"text/plain; charset=no-{number}"))
        assert success(await mode.run(call_of(hook.url)))["body"] == "x"
    assert len(encodings._cache) == known  # type: ignore[attr-defined]


async def test_a_body_over_its_bound_is_cut_and_not_read_to_its_end(mode: ProxyMode, hook: Hook) -> None:
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            writer.write(b'["\x01"]' * 1000)
            await writer.drain()

    hook.answer = endless
    end = await mode.run(call_of(hook.url, result_bytes=5000))
    assert isinstance(end, Outcome)
    assert 3000 < len(bytes(end.result)) <= 5000
    result = success(end)
    assert (result["truncated"], result["body"][:7]) == (True, '["\x01"]["')
    assert end.warnings == ["ResultTruncated: the answer is longer than 5000 bytes"]


async def test_a_body_in_very_many_pieces_is_cut(mode: ProxyMode, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "_MOST_PARTS", 1000)

    async def crumbs(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"1\r\nx\r\n" * 1500 + b"0\r\n\r\n")

    hook.answer = crumbs
    end = await mode.run(call_of(hook.url))
    assert isinstance(end, Outcome)
    result = success(end)
    assert result["truncated"]
    assert set(result["body"]) == {"x"}
    assert len(result["body"]) == 1001
    assert end.warnings == ["ResultTruncated: the answer came in too many pieces"]


async def test_a_compressed_body_is_opened_within_its_bound(mode: ProxyMode, hook: Hook) -> None:
    hook.answer = always(response(body=gzip.compress(b'{"a":1}'), Content_Encoding="gzip"))
    assert success(await mode.run(call_of(hook.url)))["body"] == {"a": 1}
    bomb = gzip.compress(b"0" * 50_000_000)
    hook.answer = always(response(body=bomb, kind="text/plain", Content_Encoding="gzip"))
    result = success(await mode.run(call_of(hook.url)))
    assert result["truncated"] is True
    assert set(result["body"]) == {"0"}


async def test_headers_that_do_not_fit_are_a_failure(mode: ProxyMode, hook: Hook) -> None:
    hook.answer = always(response(X_Big="x" * 2000))
    assert final(await mode.run(call_of(hook.url, result_bytes=1000))).error_type == "ResultTooLarge"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451])
async def test_an_error_of_ours_is_not_tried_again(mode: ProxyMode, hook: Hook, status: int) -> None:
    hook.answer = always(response(status, b"<b>no\x00</b>" * 100, kind="text/html"))
    outcome = final(await mode.run(call_of(hook.url)))
    assert outcome.error_type == "HTTPError"
    assert outcome.error.startswith(f"the webhook answered {status} Status: <b>no </b>")
    assert len(outcome.error) < 600
    assert msgspec.json.decode(outcome.result)["status_code"] == status


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_an_error_that_passes_is_tried_again(mode: ProxyMode, hook: Hook, status: int) -> None:
    hook.answer = always(response(status, b"busy", kind="text/plain"))
    end = await mode.run(call_of(hook.url, attempt=3))
    assert again(end).message == f"HTTPError: the webhook answered {status} Status: busy"
    assert isinstance(end, Again)
    assert end.asked_s == 0


@pytest.mark.parametrize(("asked", "least", "most"), [("9", 9, 9), ("date", 57, 60), ("86400", 86400, 86400)])
async def test_a_pause_that_is_asked_for_is_told(  # noqa: PLR0917 - fixtures and cases
    mode: ProxyMode, hook: Hook, asked: str, least: float, most: float
) -> None:
    value = formatdate(time.time() + 60, usegmt=True) if asked == "date" else asked
    hook.answer = always(response(429, Retry_After=value))
    end = await mode.run(call_of(hook.url))
    assert isinstance(end, Again)
    assert least <= end.asked_s <= most


async def test_a_secret_that_comes_back_is_not_kept(mode: ProxyMode, hook: Hook) -> None:
    async def echo(sent: Received, writer: asyncio.StreamWriter) -> None:
        told = sent.headers["authorization"]
        writer.write(response(200, msgspec.json.encode({"you": told}), X_You=told))

    async def echo_compressed(sent: Received, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(msgspec.json.encode({"you": sent.headers["authorization"]}))
        writer.write(response(400, body, Content_Encoding="gzip"))

    hook.answer = echo
    for auth in (
        {"type": "bearer", "token": 'quote"d-token'},
        {"type": "basic", "username": "u", "password": "password"},
    ):
        result = success(await mode.run(call_of(hook.url, auth=auth)))
        assert result["body"]["you"] in ("********", f"{auth['type'].title()} ********")
        assert result["headers"]["x-you"] in ("********", f"{auth['type'].title()} ********")
    hook.answer = echo_compressed
    outcome = final(await mode.run(call_of(hook.url, auth={"type": "bearer", "token": "secret-token"})))
    assert b"********" in bytes(outcome.result)
    assert "********" in outcome.error
    assert b"secret-token" not in bytes(outcome.result) + outcome.message.encode()


async def test_interim_answers_have_an_end(mode: ProxyMode, hook: Hook) -> None:
    async def hints(_: Received, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 100)
            await writer.drain()

    hook.answer = hints
    async with asyncio.timeout(20):
        outcome = again(await mode.run(call_of(hook.url, timeout_s=30)))
    assert outcome.error_type == "NetworkError"
    hook.answer = always(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 3 + response())
    assert success(await mode.run(call_of(hook.url)))["body"] == {"ok": True}
    hook.answer = always(response(200, b"x" * (3 << 20), kind="text/plain"))
    assert success(await mode.run(call_of(hook.url, result_bytes=4 << 20)))["body"] == "x" * (3 << 20)


async def test_nobody_there_hanging_up_and_nonsense_are_tried_again(mode: ProxyMode, hook: Hook) -> None:
    async with serving() as gone:
        url = gone.url
    assert again(await mode.run(call_of(url))).error_type == "ConnectError"
    assert again(await mode.run(call_of("http://nowhere.invalid/"))).error_type == "ConnectError"

    async def hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    hook.answer = hang_up
    assert again(await mode.run(call_of(hook.url))).error_type == "NetworkError"
    hook.answer = always(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    assert again(await mode.run(call_of(hook.url))).error_type == "NetworkError"


async def silent(_: Received, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def head_only(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    await asyncio.Event().wait()


async def dripping(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping_head(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [silent, head_only, dripping, dripping_head])
async def test_the_whole_try_has_one_bound(mode: ProxyMode, hook: Hook, answer: object) -> None:
    hook.answer = answer  # type: ignore[assignment]
    async with asyncio.timeout(20):
        outcome = again(await mode.run(call_of(hook.url, timeout_s=0.3)))
    assert outcome.message == "TimeoutError: the webhook took longer than 0.3 s"


async def test_a_server_that_does_not_speak_tls_is_given_up() -> None:
    """It takes the connection, and says nothing: the bound on connecting holds for TLS too."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    short = msgspec.structs.replace(OPEN, egress_connect_s=0.3)
    async with asyncio.timeout(20), opened(short) as hasty:
        assert again(await hasty.run(call_of(f"https://127.0.0.1:{port}/"))).error_type == "ConnectTimeout"
    server.close()


async def test_an_endpoint_that_nobody_reaches_is_tried_by_a_few_until_one_does(hook: Hook) -> None:
    async with opened(proxy_trial_slots=2) as mode:
        hook.answer = silent
        for _ in range(3):
            again(await mode.run(call_of(hook.url, timeout_s=0.05)))
        assert mode.facts() == {"endpoints_in_doubt": 1}
        trying = [asyncio.create_task(mode.run(call_of(f"{hook.url}/{n}"))) for n in range(2)]
        async with asyncio.timeout(20):
            while len(hook.received) < 5:
                await asyncio.sleep(0.01)
        with pytest.raises(Crowded):
            await mode.run(call_of(hook.url))
        again(await mode.run(call_of(hook.url, tenant="globex", timeout_s=0.05)))  # whose patience is its own
        hook.drop()
        for end in await asyncio.wait_for(asyncio.gather(*trying), timeout=20):
            again(end)
        hook.answer = always(response(404))
        final(await mode.run(call_of(hook.url)))
        assert mode.facts() == {"endpoints_in_doubt": 0}
