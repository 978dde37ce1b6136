"""One trace an invocation, of every mode, exported to a collector: all services, parents, stages, and no secret."""

import asyncio
import secrets
import socket
from itertools import pairwise

import httpx
import pytest

from tests.hooks import Hook, Received, response
from tests.traces.collector import Collector, Span
from tests.traces.conftest import Make

STAGES = ["routed", "picked", "started", "done", "recorded"]
SERVICES = {"shoal-api", "shoal-router", "shoal-executor", "shoal-recorder"}
PYTHON = """
def handler(request, ctx):
    return {'traceparent': request.headers['traceparent'], 'state': request.headers.get('tracestate')}
"""
JAVASCRIPT = """
export default async function handler(request) {
  await new Promise((done) => setTimeout(done, 300));
  return Response.json({ traceparent: request.headers.get('traceparent'), state: request.headers.get('tracestate') });
}
"""


def caller() -> tuple[str, str]:
    """A trace that begins elsewhere: its id, and the header."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, f"00-{trace}-{span}-01"


async def called(client: httpx.AsyncClient, slug: str, params: object, parent: str = "") -> tuple[str, object]:
    """The task id of a call, and its result."""
    headers = {"traceparent": parent} if parent else {}
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": params}, headers=headers)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["status"] == "SUCCESS", found
    if parent:
        assert answer.headers["x-trace-id"] == parent.split("-")[1]
    return str(found["task_id"]), found["result"]["result"]


def named(spans: list[Span], name: str) -> Span:
    """The one span of this name."""
    [found] = [span for span in spans if span.name == name]
    return found


def whole_of(spans: list[Span], task_id: str) -> Span:
    [found] = [
        one for one in spans if one.name.startswith("invocation ") and one.facts["faas.invocation_id"] == task_id
    ]
    return found


def check_parents(spans: list[Span], *, root: str = "") -> None:
    """Each is under one that is there, but the first, which is under `root`."""
    ids = {span.id for span in spans}
    assert len(ids) == len(spans)
    assert [span.parent for span in spans if span.parent not in ids] == [root]


def check_stages(spans: list[Span], whole: Span, expected: list[str] = STAGES) -> dict[str, Span]:
    """They follow each other without a gap, and are the whole within 5 %."""
    stages = [span for span in spans if span.parent == whole.id and "shoal.stage" in span.facts]
    assert [span.name for span in stages] == expected
    assert (stages[0].began, stages[-1].ended) == (whole.began, whole.ended)
    assert all(one.ended == other.began for one, other in pairwise(stages))
    assert sum(span.took for span in stages) == pytest.approx(whole.took, rel=0.05)
    return {span.name: span for span in stages}


async def traced(collector: Collector, task_id: str, mode: str, root: str) -> list[Span]:
    """The trace of a call, which is as it should be."""
    run = f"run {mode}"
    spans = await collector.trace(task_id, "send INVOKE", "route", "attempt 1", run, "write record", "recorded")
    await collector.until(lambda: any(span.kind == "server" for span in collector.of(spans[0].trace)))
    spans = collector.of(spans[0].trace)
    assert spans[0].trace == root.split("-")[1]
    assert {span.service for span in spans} == SERVICES
    check_parents(spans, root=root.split("-")[2])
    whole = whole_of(spans, task_id)
    stages = check_stages(spans, whole)
    server, sent, attempt = named(spans, "POST /api/functions/{slug}/execute/"), named(spans, "send INVOKE"), None
    attempt = named(spans, "attempt 1")
    assert (sent.parent, whole.parent, sent.kind) == (server.id, sent.id, "producer")
    assert {named(spans, "route").parent, attempt.parent, named(spans, "write record").parent} == {whole.id}
    assert {named(spans, name).parent for name in ("load", "wait for a slot", run)} == {attempt.id}
    assert server.facts["http.response.status_code"] == 200
    assert (whole.facts["shoal.status"], whole.facts["faas.trigger"]) == ("SUCCESS", "http")
    # What the services themselves have seen of the stages: the run, and the way to the record, are where they say.
    assert abs(named(spans, run).took - stages["done"].took) < 0.05 * whole.took
    assert attempt.began <= stages["picked"].ended <= named(spans, "load").began
    assert stages["routed"].began <= named(spans, "route").began <= stages["routed"].ended
    assert named(spans, "write record").ended == stages["recorded"].ended
    return spans


async def test_python(client: httpx.AsyncClient, collector: Collector, make: Make) -> None:
    slug, (trace, parent) = await make(PYTHON), caller()
    task_id, result = await called(client, slug, {}, parent)
    spans = await traced(collector, task_id, "python", parent)
    run = named(spans, "run python")
    assert result == {"traceparent": f"00-{trace}-{run.id}-01", "state": None}
    assert (run.facts["faas.coldstart"], named(spans, "start a worker").parent) == (True, run.id)
    task_id, _ = await called(client, slug, {}, caller()[1])
    spans = await collector.trace(task_id, "run python")
    assert "faas.coldstart" not in named(spans, "run python").facts


async def test_javascript(client: httpx.AsyncClient, collector: Collector, make: Make) -> None:
    slug, (trace, parent) = await make(JAVASCRIPT, environment="javascript"), caller()
    task_id, result = await called(client, slug, {}, parent)
    spans = await traced(collector, task_id, "javascript", parent)
    assert result == {"traceparent": f"00-{trace}-{named(spans, 'run javascript').id}-01", "state": None}
    assert named(spans, "run javascript").took > 300_000_000


async def test_proxy(client: httpx.AsyncClient, collector: Collector, make: Make, hook: Hook) -> None:
    slug, (trace, parent) = await make(None, execution_mode="proxy", webhook_url=f"{hook.url}/hook"), caller()

    async def slow(_: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)  # what is measured
        writer.write(response())

    hook.answer = slow
    task_id, _ = await called(client, slug, {}, parent)
    spans = await traced(collector, task_id, "proxy", parent)
    post = named(spans, "POST")
    assert (post.parent, post.kind, post.failed) == (named(spans, "run proxy").id, "client", False)
    assert post.facts == {"http.request.method": "POST", "http.response.status_code": 200}
    assert hook.received[0].headers["traceparent"] == f"00-{trace}-{post.id}-01"


async def failing(client: httpx.AsyncClient, collector: Collector, slug: str) -> Span:
    """The span of the one request that a PROXY function makes, in a call that fails."""
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert answer.json()["status"] == "FAILURE", answer.text
    spans = await collector.trace(answer.json()["task_id"], "POST", "run proxy")
    post = named(spans, "POST")
    assert (post.kind, post.failed, named(spans, "run proxy").failed) == ("client", True, True)
    return post


@pytest.mark.parametrize("status", [404, 503])
async def test_the_request_of_a_proxy_function_failed_where_it_is_answered_so(
    client: httpx.AsyncClient, collector: Collector, make: Make, hook: Hook, *, status: int
) -> None:
    hook.answer = lambda _, writer: _write(writer, "{}", status=status)
    slug = await make(None, execution_mode="proxy", webhook_url=hook.url, config={"max_retries": 0})
    post = await failing(client, collector, slug)
    told = {"http.request.method": "POST", "http.response.status_code": status, "error.type": str(status)}
    assert post.facts == told


async def test_the_request_of_a_proxy_function_failed_where_nobody_is_reached(
    client: httpx.AsyncClient, collector: Collector, make: Make
) -> None:
    with socket.socket() as unheard:  # bound, and never listening
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        slug = await make(None, execution_mode="proxy", webhook_url=url, config={"max_retries": 0})
        post = await failing(client, collector, slug)
    assert post.facts == {"http.request.method": "POST", "error.type": "ConnectError"}


async def test_system(client: httpx.AsyncClient, collector: Collector) -> None:
    parent = caller()[1]
    task_id, _ = await called(client, "example", {}, parent)
    await traced(collector, task_id, "system", parent)


async def test_a_trace_that_is_not_kept_elsewhere_is_not_kept_here(
    client: httpx.AsyncClient, collector: Collector, make: Make
) -> None:
    slug, (trace, parent) = await make(PYTHON), caller()
    answer = await client.post(
        f"/api/functions/{slug}/execute/", json={"params": {}}, headers={"traceparent": f"{parent[:-2]}00"}
    )
    assert answer.json()["result"]["result"]["traceparent"].startswith(f"00-{trace}-")
    assert answer.json()["result"]["result"]["traceparent"].endswith("-00")
    assert "x-trace-id" not in answer.headers
    after = caller()[1]  # what was before the next one would have come with it, of every service
    task_id, _ = await called(client, slug, {}, after)
    await traced(collector, task_id, "python", after)
    assert collector.of(trace) == []


async def test_no_secret_and_nothing_of_the_call_is_in_a_span(
    client: httpx.AsyncClient, collector: Collector, make: Make, hook: Hook
) -> None:
    seen, answered, failed = (secrets.token_hex(12) for _ in range(3))
    token = secrets.token_hex(12)
    hook.answer = lambda _, writer: _write(writer, f'{{"answer":"{answered}"}}')
    config = {"type": "bearer", "token": token}
    url = f"{hook.url}/{seen}?key={seen}"
    slug = await make(None, execution_mode="proxy", webhook_url=url, auth_type="bearer", auth_config=config)
    task_id, _ = await called(client, slug, {"password": seen})
    await collector.trace(task_id, "POST", "recorded")
    slug = await make(f"def main(params, user_data):\n raise ValueError('{failed}')")
    headers = {"x-api-key-of-mine": seen, "cookie": f"a={seen}", "user-agent": seen}
    answer = await client.post(
        f"/api/functions/{slug}/execute/?q={seen}", json={"params": {"password": seen}}, headers=headers
    )
    whole = await collector.invocation(answer.json()["task_id"])
    assert (whole.facts["shoal.status"], whole.facts["error.type"], whole.failed) == ("FAILURE", "SandboxError", True)
    await collector.trace(answer.json()["task_id"], "attempt 1", "run python")
    for secret in (seen, answered, failed, token, client.headers["authorization"].removeprefix("Bearer ")):
        assert secret.encode() not in collector.raw


async def _write(writer: asyncio.StreamWriter, body: str, *, status: int = 200) -> None:
    writer.write(response(status, body.encode()))
