"""What a handler is asked by a call over HTTP: everything that was sent, and nothing that the caller made up."""

import asyncio

import httpx
import pytest

from tests.api.calls.conftest import BODY_WAIT_S, PARAMS_BYTES, MakeApp
from tests.api.calls.edge import Raw, raw
from tests.api.calls.scripted import Scripted, answer, http
from tests.platform import Platform

BINARY = bytes(range(256)) * 20
OPEN = (http(auth="none"),)


async def asked(edge: Platform, head: str, body: bytes = b"") -> Raw:
    found = await raw(edge, f"{head}\nHost: api.example.org", body)
    assert found.status == 200, found
    return found


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "OPTIONS", "HEAD"])
async def test_any_method_reaches_the_handler(edge: Platform, scripted: Scripted, make_app: MakeApp, method: str):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    await asked(edge, f"{method} /v1/{app.public_id}/fn/{name}?a=1&b=%20&a=2 HTTP/1.1")
    request = scripted.asked[name]
    path = f"/v1/{app.public_id}/fn/{name}"
    assert (request.method, request.path, request.query) == (method, path, "a=1&b=%20&a=2")
    assert (request.url, request.ip, request.body) == (f"http://api.example.org{path}", "127.0.0.1", b"")


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_comes_as_it_was_sent(edge: Platform, scripted: Scripted, make_app: MakeApp, chunked: bool):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    if chunked:
        pieces = [BINARY[:1], BINARY[1:3000], BINARY[3000:]]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        framing = "Transfer-Encoding: chunked"
    else:
        body, framing = BINARY, f"Content-Length: {len(BINARY)}"
    await asked(edge, f"POST /v1/{app.public_id}/fn/{name} HTTP/1.1\n{framing}\nContent-Type: x/y", body)
    assert scripted.asked[name].body == BINARY
    assert scripted.line(name, "transfer-encoding") == []
    assert scripted.line(name, "content-type") == ["x/y"]


async def test_broken_json_is_the_handlers_own_business(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    sent = {"content": b"{broken", "headers": {"Content-Type": "application/json"}}
    assert (await anyone.post(f"/v1/{app.public_id}/fn/{name}", **sent)).status_code == 200
    assert scripted.asked[name].body == b"{broken"


async def test_header_lines_keep_their_order_and_their_repeats(edge: Platform, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    lines = "X-One: 1\nX-Two: a, b\nX-One: 2\nX-Latin: \xe4\nAccept: x/y"
    await asked(edge, f"GET /v1/{app.public_id}/fn/{name} HTTP/1.1\n{lines}")
    seen = [line for line in scripted.asked[name].headers if line[0] in ("x-one", "x-two", "x-latin", "accept", "host")]
    assert seen == [
        ("x-one", "1"), ("x-two", "a, b"), ("x-one", "2"), ("x-latin", "\xe4"), ("accept", "x/y"),
        ("host", "api.example.org"),
    ]  # fmt: skip


async def test_what_is_said_of_where_it_came_from_is_ours(edge: Platform, scripted: Scripted, make_app: MakeApp):
    """The tests' own address is a trusted proxy: its word on the caller's address is taken, and rewritten."""
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    lines = (
        "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil.example\n"
        "X-Forwarded-Prefix: /evil\nForwarded: for=1.2.3.4\nX-Real-IP: 1.2.3.4"
    )
    await asked(edge, f"GET /v1/{app.public_id}/fn/{name} HTTP/1.1\n{lines}")
    request = scripted.asked[name]
    said = sorted(line for line in request.headers if line[0].startswith(("x-forwarded", "forwarded", "x-real")))
    assert said == [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "api.example.org"),
        ("x-forwarded-proto", "https"),
    ]
    assert request.ip == "203.0.113.9"
    assert request.url == f"https://api.example.org/v1/{app.public_id}/fn/{name}"


async def test_lines_of_one_hop_end_here(edge: Platform, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    lines = (
        "Connection: keep-alive, X-Mine, host, content-length, x-forwarded-for\nX-Mine: 1\nKeep-Alive: 5\n"
        "TE: trailers\n"
        "Trailer: X\nProxy-Authorization: Basic eA==\nProxy-Connection: x\nExpect: 100-continue\nContent-Length: 2"
    )
    found = await raw(edge, f"POST /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: api.example.org\n{lines}", b"ok")
    assert found.status in (100, 200)
    names = {line[0] for line in scripted.asked[name].headers}
    assert names.isdisjoint(
        {"connection", "x-mine", "keep-alive", "te", "trailer", "proxy-authorization", "proxy-connection", "expect"}
    )
    assert {"host", "content-length", "x-forwarded-for"} <= names
    assert scripted.asked[name].body == b"ok"


async def test_secret_lines_travel_sealed(anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    secret = {
        "Authorization": "Digest hush-1",
        "Cookie": "a=hush-2",
        "X-Api-Key": "hush-3",
        "X-Session-Token": "hush-4",
    }
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=secret)).status_code == 200
    assert "hush" not in repr(scripted.raw[name])
    for header, value in secret.items():
        assert scripted.line(name, header.lower()) == [value]


async def test_more_than_one_host_or_authorization_is_refused(edge: Platform, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    head = f"GET /v1/{app.public_id}/fn/{name} HTTP/1.1"
    twice = await raw(edge, f"{head}\nHost: a.example\nHost: b.example")
    assert twice.status == 400
    twice = await raw(edge, f"{head}\nHost: a.example\nAuthorization: Bearer a\nAuthorization: Bearer b")
    assert (twice.status, twice.json()["error"]["code"]) == (400, "VALIDATION_INVALID_SCHEMA")
    strange = await raw(edge, f"{head}\nHost: a.example/evil?x")
    assert strange.status == 400
    assert name not in scripted.asked


@pytest.mark.parametrize("framing", ["Content-Length: {over}", "Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_long(edge: Platform, scripted: Scripted, make_app: MakeApp, framing: str):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    over = PARAMS_BYTES + 1
    body = b"x" * over if "Length" in framing else b"%x\r\n%s\r\n0\r\n\r\n" % (over, b"x" * over)
    head = f"POST /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: a.example\n{framing.format(over=over)}"
    found = await raw(edge, head, body)
    assert (found.status, found.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert name not in scripted.asked
    most = (
        await raw(edge, head.replace(str(over), str(PARAMS_BYTES)), body[:PARAMS_BYTES])
        if "Length" in framing
        else None
    )
    assert most is None or (most.status, len(scripted.asked[name].body)) == (200, PARAMS_BYTES)


async def test_a_body_that_does_not_come_is_not_waited_for_long(edge: Platform, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    head = f"POST /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: a.example\nContent-Length: 100"
    found = await raw(edge, head, b"half")
    assert found.status == 400
    assert found.json()["error"]["message"] == f"The body did not arrive within {BODY_WAIT_S:g} s"
    assert name not in scripted.asked


async def test_a_caller_who_is_gone_before_the_body_is_whole_calls_nothing(
    edge: Platform, anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp
):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=OPEN)
    host, port = edge.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /v1/{app.public_id}/fn/{name} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    other = await scripted.add(app, answer(), triggers=OPEN)
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{other}")).status_code == 200
    assert name not in scripted.asked


async def test_the_owners_test_is_a_post_of_its_body(owner: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, answer(201, [("content-type", "x/y")], b"made"), triggers=())
    path = f"/v1/{app.public_id}/functions/{name}/invoke"
    answered = await owner.post(path, json={"a": 1}, headers={"X-User-Id": "9"})
    assert (answered.status_code, answered.headers["content-type"], answered.text) == (201, "x/y", "made")
    request, dispatch = scripted.asked[name], scripted.raw[name]
    assert (request.method, request.body) == ("POST", b'{"a":1}')
    assert request.path == f"/v1/{app.public_id}/fn/{name}"
    assert request.url.endswith(request.path)
    assert dispatch.trigger_type == "api"
    assert dispatch.actor is not None
    assert (dispatch.actor.kind, dispatch.actor.user_id) == ("service_key", "1")
    assert answered.headers["x-invocation-id"] == dispatch.task_id
