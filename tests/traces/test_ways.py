"""What sets functions off, what they call, and what is tried again: each stays in its trace, or begins one."""

import asyncio
import time

import httpx

from services.scheduler.plans import set_plan
from shared.bus import broker, subjects, timers
from shared.store.client import Store
from shared.store.functions import Functions
from tests.hooks import Hook, Received, response
from tests.platform import Platform
from tests.realtime.clients import Door, event
from tests.traces.collector import Collector, Span
from tests.traces.conftest import Make
from tests.traces.test_modes import called, caller, check_parents, check_stages, named, whole_of

CALLING = """
def handler(request, ctx):
    return ctx.invoke('%s', {}).json()
"""


def beneath(spans: list[Span], top: Span) -> list[Span]:
    """It, and what is under it."""
    found = [top]
    for above in found:
        found += [span for span in spans if span.parent == above.id]
    return found


async def test_a_retry_that_waited_on_the_bus_is_linked_to_the_attempt_before(
    client: httpx.AsyncClient, collector: Collector, make: Make, hook: Hook
) -> None:
    most = {"timeout": 2, "error": 2, "infrastructure": 2}
    config = {"retries": most, "retry_first_s": 0.3, "retry_most_s": 0.3}
    slug = await make(None, execution_mode="proxy", webhook_url=hook.url, config=config)

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(503 if len(hook.received) < 3 else 200))

    hook.answer = answer
    trace, parent = caller()
    task_id, _ = await called(client, slug, {}, parent)
    spans = await collector.trace(task_id, "attempt 1", "attempt 2", "attempt 3", "recorded", "route", "send INVOKE")
    whole = whole_of(spans, task_id)
    check_stages(spans, whole)
    first, second, third = (named(spans, f"attempt {number}") for number in (1, 2, 3))
    assert {first.parent, second.parent, third.parent} == {whole.id}
    assert (first.links, second.links, third.links) == ([], [(trace, first.id)], [(trace, second.id)])
    runs = [span for span in spans if span.name == "run proxy"]
    assert [(run.facts["shoal.status"], run.failed) for run in runs] == [
        ("FAILURE", True),
        ("FAILURE", True),
        ("SUCCESS", False),
    ]
    assert whole.facts["shoal.attempt"] == 3
    assert third.began <= named(spans, "picked").ended <= third.ended  # the attempts before, and the pauses, are in it


async def test_what_a_function_calls_is_under_its_run(
    client: httpx.AsyncClient, collector: Collector, make: Make
) -> None:
    inner = await make("def handler(request, ctx):\n return {'parent': request.headers['traceparent']}")
    outer = await make(CALLING % inner)
    parent = caller()[1]
    task_id, result = await called(client, outer, {}, parent)
    await collector.until(lambda: len([s for s in collector.of(parent.split("-")[1]) if s.name == "recorded"]) == 2)
    await collector.until(lambda: len([s for s in collector.of(parent.split("-")[1]) if s.name == "attempt 1"]) == 2)
    spans = collector.of(parent.split("-")[1])
    [child] = [span for span in spans if span.name == f"invocation {inner}"]
    [sent] = [span for span in spans if span.id == child.parent]
    [run] = [span for span in spans if span.id == sent.parent]
    [mine] = [span for span in beneath(spans, child) if span.name == "run python"]
    assert (run.name, sent.service) == ("run python", "shoal-executor")
    assert run in beneath(spans, whole_of(spans, task_id))
    assert result == {"parent": f"00-{run.trace}-{mine.id}-01"}
    assert child.facts["faas.trigger"] == "other"
    check_stages(spans, child)


async def test_the_steps_of_a_pipeline_are_under_its_run(
    client: httpx.AsyncClient, collector: Collector, make: Make
) -> None:
    slug, (trace, parent) = await make(), caller()
    steps = [{"function": slug, "params": {"amount": 2}}, {"function": slug, "params": {"amount": "${previous.total}"}}]
    assert (await client.post("/api/pipelines/", json={"name": "traced", "steps": steps})).status_code == 201
    task_id, _ = await called(client, "data_processing_job", {"pipeline": "traced", "input": {}}, parent)
    await collector.until(lambda: len([span for span in collector.of(trace) if span.name == "recorded"]) == 3)
    await collector.until(lambda: len([span for span in collector.of(trace) if span.name == "attempt 1"]) == 3)
    spans = collector.of(trace)
    job = beneath(spans, whole_of(spans, task_id))
    assert [span.name for span in job if span.name.startswith("invocation ")].count(f"invocation {slug}") == 2
    assert {span.id for span in spans if span.service != "shoal-api"} == {span.id for span in job}


async def test_the_callback_of_an_end_is_under_what_has_ended(
    client: httpx.AsyncClient, collector: Collector, make: Make, hook: Hook
) -> None:
    slug, (trace, parent) = await make(), caller()
    body = {"params": {"amount": 1}, "callback_url": f"{hook.url}/told"}
    answer = await client.post(f"/api/functions/{slug}/execute/", json=body, headers={"traceparent": parent})
    assert answer.status_code == 200, answer.text
    await collector.until(lambda: {"POST", "invocation deliver_callback"} <= {s.name for s in collector.of(trace)})
    spans = collector.of(trace)
    told = named(spans, "invocation deliver_callback")
    [sent] = [span for span in spans if span.id == told.parent]
    assert (sent.service, sent.parent) == ("shoal-recorder", whole_of(spans, answer.json()["task_id"]).id)
    assert hook.received[0].headers["traceparent"] == f"00-{trace}-{named(spans, 'POST').id}-01"


async def test_a_webhook_begins_a_trace_that_is_linked_to_its_senders(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    body = {
        "name": "hooked",
        "runtime": "python",
        "code": "def handler(request, ctx):\n return {}",
        "triggers": [{"type": "webhook", "config": {"secret_required": False}, "enabled": True}],
    }
    made = await client.post("/v1/traced/functions", json=body)
    assert made.status_code == 200, made.text
    url = made.json()["webhook"]["url"]
    trace, parent = caller()
    sent = await client.post(url[url.index("/v1/") :], json={"a": 1}, headers={"traceparent": parent})
    assert sent.status_code < 300, sent.text
    whole = await collector.until(lambda: [span for span in collector.spans if span.name == "invocation hooked"])
    mine = whole[0].trace
    await collector.until(lambda: {"attempt 1", "route"} <= {span.name for span in collector.of(mine)})
    await collector.until(lambda: any(span.kind == "server" for span in collector.of(mine)))
    spans = collector.of(mine)
    check_parents(spans)
    server = named(spans, "POST /v1/{app}/webhook/{name}")
    assert (server.service, server.parent, server.links) == ("shoal-triggers", "", [(trace, parent.split("-")[2])])
    assert sent.headers["x-trace-id"] == mine
    assert {span.service for span in spans} == {
        f"shoal-{one}" for one in ("triggers", "router", "executor", "recorder")
    }
    check_stages(spans, whole[0])


async def test_a_run_by_schedule_begins_a_trace(
    client: httpx.AsyncClient, platform: Platform, collector: Collector, make: Make
) -> None:
    slug = await make(schedule_enabled=True, cron_expression="@daily", schedule_params={"amount": 1})
    store = Store(platform.ready["mongodb"], database="shoal")
    async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
        one = await Functions(store, "default").by_slug(slug)
        assert one is not None
        async with asyncio.timeout(20):
            while not (number := await timers.last(bus, subjects.plan(one.tenant, one.id))):
                await asyncio.sleep(0.05)
        assert await set_plan(bus, one, int(time.time()), after=number)
    store.close()
    [whole] = await collector.until(lambda: [s for s in collector.spans if s.name == f"invocation {slug}"])
    spans = await collector.trace(whole.facts["faas.invocation_id"], "attempt 1", "route", "send INVOKE")
    check_parents(spans)
    tick = named(spans, "tick")
    assert (named(spans, "send INVOKE").parent, tick.facts["faas.cron"]) == (tick.id, "@daily")
    assert tick.service == "shoal-scheduler"
    assert whole.facts["faas.trigger"] == "timer"
    check_stages(spans, whole)


async def test_what_the_api_asks_of_an_executor_is_in_the_trace_of_the_request(
    client: httpx.AsyncClient, collector: Collector, make: Make
) -> None:
    slug, (trace, parent) = await make(), caller()
    body = {"version": "2", "code": "def main(params, user_data):\n return 2", "is_active": True}
    answer = await client.post(f"/api/functions/{slug}/code/", json=body, headers={"traceparent": parent})
    assert answer.status_code == 201, answer.text
    await collector.until(lambda: len(collector.of(trace)) == 2)
    asked, compiled = collector.of(trace)
    assert (asked.service, asked.name) == ("shoal-api", "POST /api/functions/{slug}/code")
    assert (compiled.service, compiled.name, compiled.parent) == ("shoal-executor", "process compile", asked.id)


async def deployed(client: httpx.AsyncClient, name: str, trigger: dict[str, object]) -> None:
    """A function that something else sets off."""
    code = "def handler(request, ctx):\n return {}"
    body = {"name": name, "runtime": "python", "code": code, "triggers": [trigger]}
    answer = await client.post("/v1/traced/functions", json=body)
    assert answer.status_code == 200, answer.text


async def test_functions_that_one_message_of_a_websocket_sets_off_are_in_one_trace(
    client: httpx.AsyncClient, platform: Platform, collector: Collector
) -> None:
    for name in ("one", "other"):
        await deployed(client, f"{name}-heard", {"type": "websocket", "config": {"event": "heard"}})
    door = Door(platform.ready["triggers"], platform.token)
    async with door.socket(door.url("traced"), platform.token) as socket:
        assert (await socket.hear())["type"] == "connected"
        answers = [await socket.ask(event("heard", {})), await socket.hear()]
    assert {answer["type"] for answer in answers} == {"event_response"}

    def heard() -> list[Span]:
        return [span for span in collector.spans if span.name in ("invocation one-heard", "invocation other-heard")]

    wholes = await collector.until(lambda: len(heard()) == 2 and heard())
    trace = wholes[0].trace
    await collector.until(lambda: len([span for span in collector.of(trace) if span.name == "attempt 1"]) == 2)
    await collector.until(lambda: any(span.name == "websocket message" for span in collector.of(trace)))
    spans = collector.of(trace)
    check_parents(spans)
    message = named(spans, "websocket message")
    assert {span.id for span in beneath(spans, message)} == {span.id for span in spans}
    for whole in wholes:
        check_stages(spans, whole)


async def test_an_upload_sets_functions_off_in_the_trace_of_its_telling(
    client: httpx.AsyncClient, collector: Collector
) -> None:
    await deployed(client, "uploaded", {"type": "s3_upload", "config": {"bucket": "traced-bucket"}})
    body = {"name": "traced", "kind": "http", "config": {"format": "minio"}}
    source = (await client.post("/api/event-sources/", json=body)).json()
    async with asyncio.timeout(20), httpx.AsyncClient() as teller:
        headers = {"Authorization": f"Bearer {source['token']}"}
        put = {"key": "a.png", "size": 3, "eTag": "202cb962ac59075b964b07152d234b70", "sequencer": "1a"}
        one = {"eventVersion": "2.0", "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put"}
        one |= {"eventTime": "2026-11-21T19:14:50.812Z", "s3": {"bucket": {"name": "traced-bucket"}, "object": put}}
        told = {"EventName": "s3:ObjectCreated:Put", "Key": "traced-bucket/a.png", "Records": [one]}
        while (answer := await teller.post(source["url"], json=told, headers=headers)).status_code != 200:
            await asyncio.sleep(0.05)
    trace = answer.headers["x-trace-id"]
    await collector.until(lambda: {"upload", "recorded", "attempt 1"} <= {span.name for span in collector.of(trace)})
    await collector.until(lambda: any(span.kind == "server" for span in collector.of(trace)))
    spans = collector.of(trace)
    check_parents(spans)
    assert named(spans, "upload").parent == named(spans, "POST /events/{source}").id
    assert named(spans, "invocation uploaded").facts["faas.trigger"] == "datasource"
    check_stages(spans, named(spans, "invocation uploaded"))
