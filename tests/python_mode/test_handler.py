"""A handler is asked a request and answers it; which function of a source is called for what."""

import json
from typing import Any

import msgspec
import pytest

from services.executor.modes.python.mode import PythonMode
from shared.domain.request import Actor, Request
from tests.python_mode.asking import FUNCTION, PlayedHost, handling, request_call, response_of
from tests.python_mode.calling import call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = "def main(params):\n    return ['main', params]\ndef handler(request):\n    return ['handler', request.method]"
ASKED = Request(
    method="PUT",
    url="https://shoal.test/v1/app_1/fn/greet",
    path="/v1/app_1/fn/greet",
    query="a=1&b=x%20y&a=2&c=",
    headers=[("X-One", "1"), ("x-one", "2"), ("Cookie", "a=b"), ("cookie", "c=d"), ("X-User-Id", "forged")],
    body=b'{"n": [1, "\xc3\xa9"]}',
    ip="192.0.2.1",
)


async def answer(mode: PythonMode, source: str, request: Request | None = None, **more: Any) -> Any:
    """Status, content type and body."""
    response = response_of(await mode.run(await request_call(mode, source, request, **more)))
    return response.status, response.header("content-type"), response.body


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("{'a': 'é'}", (200, "application/json", '{"a":"é"}'.encode())),
        ("[1, None]", (200, "application/json", b"[1,null]")),
        ("'héllo'", (200, "text/plain; charset=utf-8", "héllo".encode())),
        ("''", (200, "text/plain; charset=utf-8", b"")),
        ("b'\\xff\\x00'", (200, "application/octet-stream", b"\xff\x00")),
        ("bytearray(b'ab')", (200, "application/octet-stream", b"ab")),
        ("None", (204, "", b"")),
        ("Response()", (200, "", b"")),
        ("Response('x', 404)", (404, "text/plain; charset=utf-8", b"x")),
        ("Response({'a': 1}, status=201)", (201, "application/json", b'{"a":1}')),
        ("Response('<p>', headers={'Content-Type': 'text/html'})", (200, "text/html", b"<p>")),
        ("Response(b'{', headers=[('content-type', 'application/json')])", (200, "application/json", b"{")),
        ("Response(status=304)", (304, "", b"")),
    ],
)
async def test_what_a_handler_returns_is_the_answer(mode: PythonMode, returned: str, expected: object) -> None:
    assert await answer(mode, handling(f"return {returned}")) == expected


async def test_every_header_line_comes_back_and_the_transports_own_do_not(mode: PythonMode) -> None:
    lines = "[('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2'), ('Content-Length', '999'), ('connection', 'close')]"
    response = response_of(await mode.run(await request_call(mode, handling(f"return Response('x', headers={lines})"))))
    assert response.headers == [
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("content-type", "text/plain; charset=utf-8"),
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("request.method", "PUT"),
        ("request.url", "https://shoal.test/v1/app_1/fn/greet?a=1&b=x%20y&a=2&c="),
        ("request.path", "/v1/app_1/fn/greet"),
        ("request.query", {"a": "2", "b": "x y", "c": ""}),
        ("request.query_all", {"a": ["1", "2"], "b": ["x y"], "c": [""]}),
        ("request.headers['X-ONE']", "1, 2"),
        ("request.headers.get('x-one')", "1, 2"),
        ("request.headers.get_all('x-one')", ["1", "2"]),
        ("request.headers.get('none')", None),
        ("request.headers.get('none', 'd')", "d"),
        ("'x-One' in request.headers", True),
        ("'none' in request.headers", False),
        ("request.headers['cookie']", "a=b; c=d"),
        ("[name for name in request.headers]", ["x-one", "cookie", "x-trigger-type", "x-app-id", "x-user-id"]),
        ("len(request.headers)", 5),
        ("request.headers['x-user-id']", "ada"),
        ("request.json()", {"n": [1, "é"]}),
        ("request.text()", '{"n": [1, "é"]}'),
        ("len(request.body)", len(ASKED.body)),
        ("isinstance(request.body, bytes)", True),
        ("f'{request} {request.headers} {ctx} {ctx.idempotency}'.count('0x')", 0),
    ],
)
async def test_what_a_request_tells(mode: PythonMode, told: str, expected: object) -> None:
    actor = Actor(kind="end_user_jwt", user_id="ada")
    _, _, body = await answer(mode, handling(f"return [{told}]"), ASKED, actor=actor)
    assert json.loads(body) == [expected]


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        ("", "'x'"),
        ("request", "request.path"),
        ("request, ctx", "ctx.app['name']"),
        ("request, ctx, *rest", "str(len(rest))"),
        ("*both", "str(len(both))"),
        ("request, ctx=None", "ctx.app['name']"),
    ],
)
async def test_a_handler_is_bound_by_its_arity(mode: PythonMode, signature: str, told: str) -> None:
    expected = {"'x'": "x", "request.path": "/v1/app_1/fn/greet", "str(len(rest))": "0", "str(len(both))": "2"}
    _, _, body = await answer(mode, f"def handler({signature}):\n    return {told}")
    assert body.decode() == expected.get(told, "Shop")


async def test_a_request_is_for_the_handler_and_params_are_for_main(mode: PythonMode) -> None:
    assert await answer(mode, BOTH) == (200, "application/json", b'["handler","GET"]')
    assert value_of(await mode.run(await call_of(mode, BOTH, {"a": 1}))) == ["main", {"a": 1}]


@pytest.mark.parametrize(("body", "params"), [(b'{"a": 1}', {"a": 1}), (b"[1]", [1]), (b"", {})])
async def test_a_main_alone_gets_the_json_body_of_a_request(mode: PythonMode, body: bytes, params: object) -> None:
    source = "def main(params, user_data):\n    return [params, user_data['username']]"
    status, kind, answered = await answer(mode, source, Request(body=body))
    assert (status, kind, json.loads(answered)) == (200, "application/json", [params, "ada"])


@pytest.mark.parametrize("body", [b"{", b"a=b", b"\xff", b"[" * 100_000])
async def test_a_main_alone_refuses_a_body_that_is_not_json(mode: PythonMode, body: bytes) -> None:
    status, kind, answered = await answer(mode, "def main(params):\n    return 1", Request(body=body))
    assert (status, kind) == (400, "application/json")
    assert set(json.loads(answered)["error"]) == {"code", "message", "remediation"}


async def test_a_handler_alone_gets_params_as_a_request(mode: PythonMode) -> None:
    source = handling("return [request.method, request.json(), request.headers['x-trigger-type'], ctx.user['id']]")
    call = msgspec.structs.replace(await call_of(mode, source, {"a": 1}), function=FUNCTION)
    outcome = await mode.run(call)
    assert response_of(outcome).status == 200
    assert json.loads(bytes(outcome.recorded().result)) == ["POST", {"a": 1}, "api", "7"]
    assert json.loads(bytes((await mode.run(call)).recorded().result)) == ["POST", {"a": 1}, "api", "7"]


@pytest.mark.parametrize("source", ["x = 1", "handler = 3", "main = handler = None", ""])
async def test_neither(mode: PythonMode, source: str) -> None:
    outcome = await mode.run(await request_call(mode, source))
    error = "Code must define a 'main' function, or a 'handler' function that answers requests"
    assert (outcome.error_type, outcome.error) == ("SandboxError", error)


async def test_output_and_usage_are_told_with_a_response(mode: PythonMode) -> None:
    outcome = await mode.run(await request_call(mode, handling("print('p')\nlog('l')\nreturn 'x'")))
    assert (outcome.stdout, [line.message for line in outcome.logs]) == ("p\n", ["l"])
    assert outcome.usage.peak_bytes > 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("return 1", "a handler returns a Response, a dict, a list, text, bytes or None, not int"),
        ("return ('x', 404)", "a handler returns a Response, a dict, a list, text, bytes or None, not tuple"),
        ("return Response(1)", "a body is a dict, a list, text, bytes or None, not int"),
        ("return {1, 2}", "a handler returns"),
        ("return {'a': {1}}", "not JSON serializable"),
        ("return 'a\\ud800'", "surrogates not allowed"),
        ("raise ValueError('no')", "ValueError: no"),
    ],
)
async def test_what_is_no_answer_is_the_functions_failure(mode: PythonMode, body: str, error: str) -> None:
    outcome = await mode.run(await request_call(mode, handling(body)))
    assert (outcome.error_type, outcome.response) == ("SandboxError", None)
    assert error in outcome.error


async def test_a_failure_is_told_with_its_line(mode: PythonMode) -> None:
    outcome = await mode.run(await request_call(mode, handling("x = 1\nreturn request.json()")))
    assert 'File "<function>", line 3, in handler' in outcome.traceback


async def test_a_body_over_the_limit_of_results(mode: PythonMode) -> None:
    outcome = await mode.run(await request_call(mode, handling("return 'x' * 2000"), result_bytes=1000))
    assert (outcome.error_type, outcome.response) == ("ResultTooLarge", None)
    assert await answer(mode, handling("return 'x' * 1000"), result_bytes=1000) == (
        200,
        "text/plain; charset=utf-8",
        b"x" * 1000,
    )


async def test_a_body_that_is_nested_too_deeply_to_be_recorded_is_refused(mode: PythonMode) -> None:
    source = handling("return Response('[' * 900 + ']' * 900, headers={'content-type': 'application/json'})")
    outcome = await mode.run(await request_call(mode, source))
    assert (outcome.error_type, "nested too deeply" in outcome.error) == ("SandboxError", True)


async def test_a_body_that_only_says_that_it_is_json_is_its_text(mode: PythonMode) -> None:
    source = handling("return Response('{]' * 300, headers={'content-type': 'application/json'})")
    outcome = await mode.run(await request_call(mode, source))
    assert json.loads(bytes(outcome.recorded().result)) == "{]" * 300


async def test_the_host_is_not_asked_for_what_is_not_looked_at(mode: PythonMode) -> None:
    host = PlayedHost({"KEY": "v"})
    await answer(mode, handling("return ctx.request['id']"), host=host)
    assert host.asked == []
