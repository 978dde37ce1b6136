"""What a handler is given, and what becomes of what it answers."""

import asyncio

import msgspec
import pytest

from services.executor.modes.javascript.mode import JavascriptMode
from shared.domain.outcome import Outcome
from shared.domain.request import Actor, Request, Response
from tests.javascript_mode.calling import FUNCTION, Platform, Run, answer_of, call_of, said
from tests.javascript_mode.opening import Open

HELLO = """export default async function handler(req) {
 return new Response(JSON.stringify({ message: 'Hello!' }), {
 headers: { 'Content-Type': 'application/json' }
 });
}"""


async def test_the_first_example_answers(run: Run) -> None:
    answer = answer_of(await run(HELLO))
    assert (answer.status, answer.headers) == (200, [("content-type", "application/json")])
    assert answer.body == b'{"message":"Hello!"}'


async def test_the_request_is_the_callers(run: Run) -> None:
    request = Request(
        method="PUT",
        url="https://api.example.org/v1/app/fn/hello",
        query="a=1&b=%20",
        headers=[("x-one", "1"), ("x-one", "2"), ("cookie", "k=v"), ("content-length", "99"), ("x-latin", "\xe9")],
        body=bytes(range(256)),
    )
    source = """export default async (req) => ({url: req.url, method: req.method, one: req.headers.get("x-one"),
      cookie: req.headers.get("cookie"), latin: req.headers.get("x-latin"), ours: req.headers.has("x-shoal"),
      body: [...await req.bytes()]})"""
    heard = said(await run(source, request))
    assert heard["url"] == "https://api.example.org/v1/app/fn/hello?a=1&b=%20"
    assert (heard["method"], heard["one"], heard["cookie"], heard["latin"]) == ("PUT", "1, 2", "k=v", "\xe9")
    assert heard["body"] == list(range(256))
    assert heard["ours"] is False


async def test_a_request_can_be_copied(run: Run) -> None:
    source = """export default async (req) => {
      const put = new Request(req.clone(), {method: "PUT"});
      const copies = [req.clone(), new Request(req.clone()), put, new Request(req)];
      const seen = copies.map(({url, method, headers}) => [url, method, headers.get("x-one"), headers.has("x-shoal")]);
      return [seen, await copies[0].text(), await copies[3].text(), req instanceof Request, put instanceof Request];
    }"""
    request = Request(method="POST", url="https://api.example.org/x", headers=[("x-one", "1")], body=b"text")
    url = "https://api.example.org/x"
    copies = [[url, "POST", "1", False], [url, "POST", "1", False], [url, "PUT", "1", False], [url, "POST", "1", False]]
    assert said(await run(source, request)) == [copies, "text", "text", True, True]


async def test_every_method_arrives(run: Run) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"):
        request = Request(method=method, url="https://api.example.org/", body=b"text")
        heard = said(await run("export default async (req) => [req.method, await req.text()]", request))
        assert heard == [method, "" if method in ("GET", "HEAD") else "text"]


async def test_a_head_of_any_size_arrives(run: Run) -> None:
    source = """export default async (req) => [req.method, req.url.length, req.headers.get("x-long")?.length,
      [...req.headers].filter(([name]) => name.startsWith("x-")).length, req.headers.has("x-shoal"),
      req.headers.get("host"), await req.text()]"""
    many = [(f"x-{number}", "1") for number in range(1000)]
    long = [("x-long", "\xe9" * 60_000)]
    url = "https://api.example.org/"
    for method, body in (("GET", ""), ("HEAD", ""), ("POST", "text"), ("PROPFIND", "text")):
        for lines in (many, long):
            headers = [("host", "api.example.org"), ("x-shoal", "theirs"), *lines]
            request = Request(method=method, url=url, query="q" * 3000, headers=headers, body=b"text")
            length = 60_000 if lines is long else None
            ours = 2  # x-app-id, x-trigger-type
            heard = said(await run(source, request))
            assert heard == [method, len(url) + 3001, length, len(lines) + ours, False, "api.example.org", body]


async def test_a_users_id_may_be_of_any_script(run: Run) -> None:
    for id, line in (
        ("J\xfcrgen 100%", "J%C3%BCrgen 100%25"),
        ("\u30e6\u30fc", "%E3%83%A6%E3%83%BC"),
        ("a|b@c.d", "a|b@c.d"),
    ):
        source = """export default (req, ctx) => [ctx.user.id, req.headers.get("x-user-id")]"""
        assert said(await run(source, actor=Actor(kind="end_user_jwt", user_id=id))) == [id, line]


async def test_an_answer_is_passed_on_as_it_is(run: Run) -> None:
    source = """export default () => new Response(new Uint8Array([0, 255, 13, 10]), {status: 201, headers: [
      ["set-cookie", "a=1"], ["set-cookie", "b=2; Path=/"], ["content-type", "text/plain"], ["x-y", "z"]]})"""
    request = Request(method="GET", url="https://api.example.org/", headers=[("accept-encoding", "gzip, br")])
    answer = answer_of(await run(source, request))
    assert (answer.status, answer.body) == (201, b"\x00\xff\r\n")
    assert sorted(answer.headers) == [
        ("content-type", "text/plain"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2; Path=/"),
        ("x-y", "z"),
    ]


async def test_an_answer_is_not_compressed(run: Run) -> None:
    request = Request(method="GET", url="https://api.example.org/", headers=[("accept-encoding", "gzip, br")])
    answer = answer_of(await run("""export default () => new Response("x".repeat(5000))""", request))
    assert answer.body == b"x" * 5000
    assert answer.header("content-encoding") == ""


async def test_statuses_without_a_body(run: Run) -> None:
    for status in (204, 205, 304):
        answer = answer_of(await run(f"export default () => new Response(null, {{status: {status}}})"))
        assert (answer.status, answer.body) == (status, b"")
    answer = answer_of(await run("""export default () => Response.redirect("https://example.org/x", 307)"""))
    assert (answer.status, answer.header("location")) == (307, "https://example.org/x")


async def test_a_status_of_failure_is_the_handlers_answer(run: Run) -> None:
    answer = answer_of(await run("export default () => new Response('no', {status: 503})"))
    assert (answer.status, answer.body) == (503, b"no")


async def test_plain_values_are_json(run: Run) -> None:
    for value, body in (("({a: [1]})", b'{"a":[1]}'), ("'text'", b'"text"'), ("null", b"null"), ("undefined", b"null")):
        answer = answer_of(await run(f"export default () => {value}"))
        assert (answer.status, answer.header("content-type"), answer.body) == (200, "application/json", body)


async def test_bytes_and_streams_are_bodies(run: Run) -> None:
    assert answer_of(await run("export default () => new Uint8Array([1, 2])")).body == b"\x01\x02"
    stream = """export default () => new Response(ReadableStream.from((async function* () {
      for (const word of ["a", "b", "c"]) { yield new TextEncoder().encode(word); await 0; } })()))"""
    assert answer_of(await run(stream)).body == b"abc"


async def test_an_object_with_fetch_is_a_handler(run: Run) -> None:
    assert said(await run("export default {word: 'hi', fetch() { return this.word; }}")) == "hi"
    assert said(await run("const answer = () => 1; export { answer as default }")) == 1


async def test_the_context_says_who_and_where(run: Run) -> None:
    actor = Actor(kind="end_user_jwt", user_id="u1", claims={"role": "é", "id": "forged"})
    context = said(await run("export default (req, ctx) => ctx", actor=actor))
    assert context["user"] == {"id": "u1", "role": "é"}
    assert context["caller"] == {"type": "end_user_jwt", "keyId": None, "userId": "u1"}
    assert context["app"]["name"] == "Shop"
    assert context["app"]["id"].startswith("app_")
    assert context["request"] == {
        "id": "0190a0b0-0000-7000-8000-000000000001",
        "ip": "192.0.2.7",
        "functionName": "hello-world",
    }
    assert said(await run("export default (req, ctx) => ctx.user")) is None


async def test_a_call_that_was_no_request_is_a_post_of_its_params(mode: JavascriptMode) -> None:
    source = """export default async (req) => [req.method, req.headers.get("x-trigger-type"), await req.json()]"""
    call = msgspec.structs.replace(await call_of(mode, source, params=b'{"a":1}', trigger_type="webhook"), request=None)
    assert said(await mode.run(call)) == ["POST", "webhook", {"a": 1}]


async def test_the_environment_is_the_functions_and_nothing_else(run: Run) -> None:
    source = """const early = process.env.API_KEY;
    export default (req, ctx) => [early, ctx.env, Deno.env.toObject(), {...process.env}]"""
    early, *views = said(await run(source, host=Platform(env={"API_KEY": "secret123", "É": 'é\n"x'})))
    assert early == "secret123"
    assert views == [{"API_KEY": "secret123", "É": 'é\n"x'}] * 3


async def test_a_new_environment_is_a_new_process(run: Run) -> None:
    source = "export default (req, ctx) => [ctx.env, globalThis.seen, globalThis.seen = 1]"
    first = await run(source, host=Platform(env={"A": "1"}))
    again = await run(source, host=Platform(env={"A": "1"}))
    newer = msgspec.structs.replace(FUNCTION, env_revision=1)
    changed = await run(source, host=Platform(env={"A": "2"}), function=newer)
    assert [said(each)[:2] for each in (first, again, changed)] == [
        [{"A": "1"}, None],
        [{"A": "1"}, 1],
        [{"A": "2"}, None],
    ]


async def test_typescript_tells_its_own_lines(run: Run) -> None:
    source = """interface Thing {
  name: string;
}

enum Kind { A, B }

export default async function handler(req: Request): Promise<Response> {
  const thing: Thing = { name: "x" };
  return fail(thing, Kind.B);
}

function fail(thing: Thing, kind: Kind): never {
  throw new RangeError(`no ${thing.name} ${kind}`);
}
"""
    outcome = await run(source)
    assert (outcome.status, outcome.error_type, outcome.error) == ("FAILURE", "RangeError", "no x 1")
    assert outcome.traceback == "RangeError: no x 1\n    at fail (index.ts:13:9)\n    at handler (index.ts:9:10)"


async def test_what_is_thrown_is_told(run: Run) -> None:
    assert (await run("export default () => { throw 'text' }")).message == "Error: text"
    assert (await run("export default () => { throw {a: 1} }")).message == "Error: { a: 1 }"
    hostile = """export default () => {
      const e = new Error('x'); Object.defineProperty(e, 'message', {get() { throw 1 }}); throw e }"""
    assert (await run(hostile)).error_type == "Error"
    pretended = "export default () => { const e = new Error('x'); e.name = 'TimeoutError'; throw e }"
    assert (await run(pretended)).message == "Error: x"


async def test_code_that_fails_to_load_is_told(run: Run) -> None:
    outcome = await run("const x = null;\nx.y;\nexport default () => 1")
    assert outcome.error_type == "TypeError"
    assert outcome.traceback.endswith("at index.js:2:3")
    assert (await run("export default 5")).error == "Function must export a handler function"


async def test_a_function_calls_another(run: Run) -> None:
    platform = Platform()
    platform.answer = Outcome(status="SUCCESS", result=msgspec.Raw(b'{"sum":3}'))
    source = """export default async (req, ctx) => {
      const answer = await ctx.invoke("add", {a: 1, b: 2}, {headers: {"x-a": "b"}});
      return [answer.status, await answer.json()];
    }"""
    assert said(await run(source, host=platform)) == [200, {"sum": 3}]
    [(name, request)] = platform.invoked
    assert (name, request.method, request.body) == ("add", "POST", b'{"a":1,"b":2}')
    assert sorted(request.headers) == [("content-type", "application/json"), ("x-a", "b")]


@pytest.mark.parametrize("status", [200, 204, 205, 304, 404])
async def test_another_functions_answer_without_a_body(run: Run, status: int) -> None:
    platform = Platform()
    platform.answer = Outcome(status="SUCCESS", response=Response(status=status, headers=[("etag", "1")]))
    source = """export default async (req, ctx) => {
      const answer = await ctx.invoke("other");
      return [answer.status, answer.headers.get("etag"), await answer.text()];
    }"""
    assert said(await run(source, host=platform)) == [status, "1", ""]


async def test_a_call_that_cannot_be_made_is_an_error(run: Run) -> None:
    source = """export default async (req, ctx) => {
      try { await ctx.invoke("gone"); } catch (error) { return [error.name, error.message]; }
    }"""
    assert said(await run(source)) == ["NotFound", "there is no such function"]


async def test_a_claim_is_granted_once(run: Run) -> None:
    source = """export default async (req, ctx) => [await ctx.idempotency.claim("k"), await ctx.idempotency.claim("k"),
      await ctx.idempotency.claim("k", {scope: "other", ttlSeconds: 5})]"""
    assert said(await run(source)) == [True, False, True]


async def test_what_is_published_goes_out_in_order_however_many_at_once(run: Run) -> None:
    source = """export default async (req, ctx) => {
      await Promise.all(Array.from({length: 200}, (_, n) => ctx.publish("news", {n}, {event: "e"})));
      return [typeof await ctx.publish("user:ü", undefined)];
    }"""
    host = Platform()
    assert said(await run(source, host=host)) == ["undefined"]
    assert host.published[:200] == [("news", "e", b'{"n":%d}' % n) for n in range(200)]
    assert host.published[200:] == [("user:ü", "", b"null")]


async def test_what_cannot_be_published_fails_in_the_function_alone(run: Run) -> None:
    source = """export default async (req, ctx) => {
      const told = [];
      for (const args of [["", 1], ["c", "x".repeat(65535)], ["c", 1n], ["\\ud800", 1], ["x".repeat(1e7), 1]]) {
        await ctx.publish(...args).catch((error) => told.push(error.name));
      }
      return told;
    }"""
    host = Platform()
    assert said(await run(source, host=host)) == ["invalid", "RangeError", "TypeError"]
    assert [(name[:2], len(name)) for name, _, _ in host.published] == [("\ufffd", 1), ("xx", 1000)]


async def test_what_is_waited_for_does_not_hold_the_answer_back(opened: Open) -> None:
    mode = await opened()
    source = """let done = 0;
    const later = () => new Promise((ok) => setTimeout(() => ok(done++), 300));
    export default (req, ctx) => { ctx.waitUntil(later()); return done; }"""
    call = await call_of(mode, source)
    assert said(await mode.run(call)) == 0
    assert mode.facts()["lingering"] == 1
    assert said(await mode.run(call)) == 0  # in another process: the first is not free yet
    assert mode.facts()["counts"]["cold"] == 2
    async with asyncio.timeout(10):
        while mode.facts()["lingering"]:
            await asyncio.sleep(0.01)
    assert said(await mode.run(call)) == 1


async def test_what_is_waited_for_is_bounded(opened: Open) -> None:
    mode = await opened(wait_until_s=0.2)
    call = await call_of(mode, "export default (req, ctx) => { ctx.waitUntil(new Promise(() => {})); return 1; }")
    assert said(await mode.run(call)) == 1
    async with asyncio.timeout(10):
        while mode.facts()["workers"]:
            await asyncio.sleep(0.01)
    assert mode.facts()["counts"]["deadline"] == 1


STREAM = """const pause = () => new Promise((ok) => setTimeout(ok, 5));
export default () => new Response(ReadableStream.from((async function* () {
  for (let i = 0; i < COUNT; i++) { yield new TextEncoder().encode(`data: ${i}\\n\\n`); await pause(); }
})()), {headers: {"content-type": "text/event-stream", "x-a": "b"}})"""


async def test_events_are_passed_on_as_they_come(run: Run) -> None:
    platform = Platform()
    outcome = await run(STREAM.replace("COUNT", "3"), host=platform, streams=True)
    assert answer_of(outcome).streamed
    assert platform.head is not None
    assert platform.head.header("x-a") == "b"
    assert b"".join(platform.parts) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert len(platform.parts) > 1


async def test_events_for_nobody_are_collected(run: Run) -> None:
    answer = answer_of(await run(STREAM.replace("COUNT", "2")))
    assert (answer.streamed, answer.body) == (False, b"data: 0\n\ndata: 1\n\n")


async def test_a_stream_ends_when_nobody_listens(run: Run) -> None:
    platform = Platform(takes=2)
    outcome = await run(STREAM.replace("COUNT", "Infinity"), host=platform, streams=True)
    assert outcome.status == "SUCCESS"
    assert len(platform.parts) == 2


async def test_an_endless_stream_ends_at_the_deadline(run: Run) -> None:
    outcome = await run(STREAM.replace("COUNT", "Infinity"), streams=True, timeout_s=0.5)
    assert outcome.error_type == "TimeoutError"


async def test_a_stream_whose_taker_stalls_ends_at_the_deadline(run: Run) -> None:
    """The call is over while a part waits to be handed on; that it was not taken is no good end."""

    class Stalling(Platform):
        async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=1.0)
            return False

    outcome = await run(STREAM.replace("COUNT", "Infinity"), host=Stalling(), streams=True, timeout_s=0.5)
    assert outcome.error_type == "TimeoutError"


async def test_a_request_that_none_can_make_is_refused(run: Run) -> None:
    for header in (("x-a", "b\r\nx-shoal: {}"), ("x a", "b")):
        outcome = await run(HELLO, Request(method="GET", url="https://api.example.org/", headers=[header]))
        assert outcome.error_type == "RequestRefused"
