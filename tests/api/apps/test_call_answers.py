"""What a call over HTTP is answered with: the handler's own answer, or how it failed."""

import asyncio
import time

import httpx
import msgspec
import pytest

from services.executor import events
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome, failure
from shared.domain.request import Response
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.conftest import MAX_WAITING, MakeApp
from tests.api.apps.edge import Raw, raw
from tests.api.apps.ends import report
from tests.api.apps.scripted import Script, Scripted, answer, http
from tests.platform import Platform

BINARY = bytes(range(256)) * 20
OPEN = (http(auth="none"),)
WITHIN_S = 15.0


@pytest.fixture
def call(edge: Platform, scripted: Scripted, make_app: MakeApp):
    """Call a function that does this, over a connection of its own."""

    async def ask(script: Script, *, method: str = "GET", more: str = "") -> Raw:
        app = await make_app()
        name = await scripted.add(app, script, triggers=OPEN)
        return await raw(edge, f"{method} /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: a.example{more}")

    return ask


async def test_status_lines_and_bytes_come_as_the_handler_made_them(call):
    lines = [("Content-Type", "x/y"), ("X-One", "1"), ("x-one", "2"), ("X-Latin", "\xe4"), ("Empty", "")]
    found = await call(answer(418, lines, BINARY))
    assert (found.status, found.body) == (418, BINARY)
    assert found.line("x-one") == ["1", "2"]
    assert (found.line("x-latin"), found.line("content-length")) == (["\xe4"], [str(len(BINARY))])
    assert len(found.line("date")) == len(found.line("x-invocation-id")) == 1


async def test_a_hundred_cookies(call):
    cookies = [("Set-Cookie", f"c{number}={number}; Path=/") for number in range(100)]
    assert (await call(answer(200, cookies))).line("set-cookie") == [value for _, value in cookies]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_passed_on(call, status: int):
    found = await call(answer(status, [("location", "http://169.254.169.254/")]))
    assert (found.status, found.line("location")) == (status, ["http://169.254.169.254/"])


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_what_has_no_body(call, status: int):
    found = await call(answer(status, [("etag", "1"), ("content-length", "5")], b"never"))
    assert (found.status, found.body, found.line("etag")) == (status, b"", ["1"])
    assert found.line("content-length") == (["0"] if status == 205 else [])
    assert found.line("transfer-encoding") == []


async def test_an_answer_to_head_has_the_length_of_what_is_left_out(call):
    found = await call(answer(200, [], b"four"), method="HEAD")
    assert (found.body, found.line("content-length")) == (b"", ["4"])
    found = await call(answer(200, [("content-length", "7")]), method="HEAD")
    assert (found.body, found.line("content-length")) == (b"", ["7"])


async def test_a_handler_does_not_frame_its_answer(call):
    lines = [
        ("Content-Length", "3"), ("Transfer-Encoding", "chunked"), ("Connection", "x-mine, keep-alive"),
        ("X-Mine", "1"), ("Upgrade", "h2c"), ("Date", "never"), ("X-Invocation-Id", "forged"), ("Keep-Alive", "9"),
    ]  # fmt: skip
    found = await call(answer(200, lines, b"whole body"))
    assert (found.body, found.line("content-length")) == (b"whole body", ["10"])
    assert [found.line(name) for name in ("transfer-encoding", "x-mine", "upgrade", "keep-alive")] == [[], [], [], []]
    assert "never" not in found.line("date")
    assert "forged" not in found.line("x-invocation-id")


@pytest.mark.parametrize(
    "line",
    [
        ("x", "a\r\nSet-Cookie: evil=1"), ("x", "a\nb"), ("x\r\nEvil", "1"), ("x", "a\0"), ("x y", "1"), ("", "1"),
        ("x:", "1"), ("x", "\u20ac"), ("x\u20ac", "1"),
    ],
)  # fmt: skip
async def test_an_answer_is_not_split(call, line: tuple[str, str]):
    found = await call(answer(200, [line, ("ok", "1")], b"body"))
    assert found.status == 502
    assert found.json()["error"].startswith("The handler answered with a header that cannot be sent")
    assert found.line("set-cookie") == found.line("evil") == []


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, 1000, -1])
async def test_a_status_that_is_no_final_one(call, status: int):
    found = await call(answer(status))
    assert found.status == 502
    assert str(status) in found.json()["error"]


FAILURES = [
    (failure("Boom", "it broke", "Traceback: secret frames"), 500, {"error": "it broke"}),
    (failure("MemoryError", "more than 64 MB"), 500, {"error": "more than 64 MB"}),
    (failure("ResultTooLarge", "more than 4 MB"), 502, {"error": "more than 4 MB"}),
    (failure("ParamsTooLarge", "too much"), 413, {"error": "too much"}),
    (failure("FunctionNotFound", "gone"), 404, {"error": "Function not found"}),
]


@pytest.mark.parametrize(("outcome", "status", "body"), FAILURES)
async def test_failures_in_the_words_of_the_runtime(call, outcome: Outcome, status: int, body: dict[str, str]):
    found = await call(lambda _: outcome)
    assert (found.status, found.json()) == (status, body)


async def test_a_timeout(call):
    found = await call(lambda _: failure("TimeoutError", "longer than 30 s"))
    body = found.json()
    assert (found.status, body["error"]) == (504, "function_timeout")
    assert body["message"] == "Function execution timeout (30000ms)"
    assert body["duration_ms"] >= 0


async def test_a_timeout_names_the_limit_that_the_tenant_leaves(anyone, scripted: Scripted, edge_store: Store):
    await edge_store.global_upsert("tenants", {"_id": "brief"}, {"$set": {"slug": "brief", "limits": {"timeout_s": 7}}})
    app = await Apps(edge_store, "brief").keep("brief", name="Brief")
    name = await scripted.add(app, lambda _: failure("TimeoutError", "longer than 7 s"), triggers=OPEN)
    found = await anyone.get(f"/v1/{app.public_id}/fn/{name}")
    assert found.json()["message"] == "Function execution timeout (7000ms)"


async def test_the_stack_is_for_the_owner(owner: httpx.AsyncClient, anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    broken = failure("Boom", "it broke", "line 3, in handler")
    name = await scripted.add(app, lambda _: broken, triggers=OPEN)
    path = f"/v1/{app.public_id}/fn/{name}"
    assert (await owner.get(path)).json() == {"error": "it broke", "stack": "line 3, in handler"}
    assert (await anyone.get(path)).json() == {"error": "it broke"}


async def test_a_result_without_an_answer_is_json(call):
    outcome = Outcome(status="SUCCESS", result=msgspec.Raw(b'{"a":"\xc3\xa4"}'))
    found = await call(lambda _: outcome)
    assert (found.status, found.line("content-type"), found.json()) == (200, ["application/json"], {"a": "ä"})


async def test_a_wait_that_is_longer_than_the_function_may_run(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, lambda _: None, triggers=OPEN, config={"timeout": 0.2})
    found = await anyone.get(f"/v1/{app.public_id}/fn/{name}")
    body = found.json()
    assert (found.status_code, body["error"]) == (504, "no_answer")  # it may never have run
    assert body["invocation_id"] == found.headers["x-invocation-id"]
    assert body["duration_ms"] >= 1200


JSON = ("content-type", "application/json")
LOST = [
    (Outcome(status="SUCCESS", response=Response(status=404, headers=[("a", "b")], body=b"none")), 404, b"none", ""),
    (
        Outcome(status="SUCCESS", response=Response(headers=[("Content-Type", "text/x")], body=b"x")),
        200,
        b"x",
        "text/x",
    ),
    (Outcome(status="SUCCESS", response=Response(headers=[JSON], body=b'{"a": 1}')), 200, b'{"a": 1}', JSON[1]),
    (Outcome(status="SUCCESS", response=Response(headers=[("content-type", "image/x")])), 200, b"", "image/x"),
    (Outcome(status="SUCCESS", response=Response(status=204)), 204, b"", ""),
    (Outcome(status="SUCCESS", result=msgspec.Raw(b"[1]")), 200, b"[1]", JSON[1]),
    (failure("Boom", "it broke"), 500, b'{"error":"it broke"}', JSON[1]),
    (failure("TenantNotActive", "gone"), 404, b'{"error":"Function not found"}', JSON[1]),
]


@pytest.mark.parametrize("case", LOST)
async def test_an_answer_that_was_lost_is_what_the_record_has_of_it(
    call, edge_bus: Bus, case: tuple[Outcome, int, bytes, str]
):
    outcome, status, body, kind = case

    async def lost(dispatch: Dispatch) -> None:
        now = time.time()
        timeline = events.timeline(dispatch, picked=now, started=now, done=now)
        delivery = Delivery(body=dispatch, sequence=1, count=1)
        await report(edge_bus, events.finished(delivery, outcome.recorded(), timeline, executor="e"))

    found = await call(lost)
    assert (found.status, found.body) == (status, body)
    assert found.line("content-type") == ([kind] if kind else [])


@pytest.fixture
def waiting(edge: Platform, anyone: httpx.AsyncClient):
    """Until so many callers wait."""
    page = edge.ready["services"]["api"]["metrics"].replace("/metrics", "/healthz")

    async def until(wanted: int) -> None:
        async with asyncio.timeout(WITHIN_S):
            while (await anyone.get(page)).json()["waiting"] != wanted:
                await asyncio.sleep(0.02)

    return until


async def test_a_caller_who_has_gone_keeps_no_place(anyone, waiting, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    name = await scripted.add(app, lambda _: None, triggers=OPEN, config={"timeout": 60})
    await waiting(0)
    caller = asyncio.create_task(anyone.get(f"/v1/{app.public_id}/fn/{name}"))
    await waiting(1)
    caller.cancel()
    await waiting(0)


async def test_one_more_than_may_wait(anyone, waiting, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, lambda _: None, triggers=OPEN, config={'timeout': 60})}"
    await waiting(0)
    callers = [asyncio.create_task(anyone.get(path)) for _ in range(MAX_WAITING)]
    await waiting(MAX_WAITING)
    refused = await anyone.get(path)
    assert (refused.status_code, refused.json()["error"]) == (429, "Concurrency limit reached")
    assert refused.headers["retry-after"] == "5"
    for caller in callers:
        caller.cancel()
    await waiting(0)


async def test_code_that_was_never_a_handler(owner: httpx.AsyncClient, make_app: MakeApp):
    """A function of the other dialect is called by its name or its slug; what it returns is the answer."""
    app = await make_app()
    made = await owner.post(f"/api/apps/{app.slug}/functions/", json={"name": "Straße 1", "execution_mode": "app"})
    slug = made.json()["slug"]
    missing = await owner.get(f"/v1/{app.public_id}/fn/{slug}")
    assert (missing.status_code, missing.json()) == (404, {"error": "Function not found"})
    code = {"version": "1", "code": "def main(params, user_data):\n return {'who': user_data['username']}"}
    assert (await owner.post(f"/api/functions/{slug}/code/", json={**code, "is_active": True})).status_code == 201
    for name in (slug, "Stra%C3%9Fe%201", "Stra%c3%9fe%201/"):
        for id in (app.public_id, app.slug):
            found = await owner.get(f"/v1/{id}/fn/{name}")
            assert (found.status_code, found.json()) == (200, {"who": "admin"}), found.text
