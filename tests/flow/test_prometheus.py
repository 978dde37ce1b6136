"""The metrics of a running platform: what its calls have moved, in which service, and what promtool says of them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from shared.config import SERVICES
from shared.store.apps import Apps
from shared.store.client import Store
from tests.hooks import Hook, serving
from tests.platform import Platform, running
from tests.realtime.clients import Door, event

CALLS, WITHIN_S = 3, 30.0
STAGES = ("routed", "picked", "started", "done", "recorded")
ECHO = "def main(params, user_data):\n    return params"
FAILS = "class Mine(Exception):\n    pass\ndef main(params, user_data):\n    raise Mine('on purpose')"
SPINS = "def main(params, user_data):\n    while True:\n        pass"
ECHO_IN_DENO = "export default async function handler(req) { return { said: await req.text() } }"


class Scraped:
    """The samples of one service's page."""

    def __init__(self, text: str) -> None:
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in classic(text)
            for sample in family.samples
        }

    def one(self, name: str, **labels: str) -> float:
        """The value with exactly these labels, 0 where there is none yet."""
        return self._values.get((name, frozenset(labels.items())), 0.0)

    def all(self, name: str, **labels: str) -> float:
        """The sum of those that have these labels, and maybe others."""
        wanted = labels.items()
        return sum(value for (found, of), value in self._values.items() if found == name and wanted <= of)

    def has(self, name: str) -> bool:
        return any(found == name for found, _ in self._values)


class Seen(NamedTuple):
    """A platform, and somebody who calls and looks."""

    shoal: Platform
    http: httpx.AsyncClient
    app: str
    hook: Hook

    async def page(self, service: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.get(self.shoal.ready["services"][service]["metrics"], headers=headers)

    async def scrape(self, service: str) -> Scraped:
        return Scraped((await self.page(service)).text)

    async def until(self, service: str, holds: Callable[[Scraped], bool]) -> Scraped:
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    found = await self.scrape(service)
                except httpx.HTTPError:  # it is being started again
                    continue
                if holds(found):
                    return found
                await asyncio.sleep(0.05)

    async def make(self, name: str, code: str = "", **fields: Any) -> str:
        made = await self.http.post("/api/apps/seen/functions/", json={"name": name, **fields})
        assert made.status_code == 201, made.text
        slug = str(made.json()["slug"])
        if code:
            body = {"version": "1", "code": code, "is_active": True}
            uploaded = await self.http.post(f"/api/functions/{slug}/code/", json=body)
            assert uploaded.status_code == 201, uploaded.text
        return slug

    async def execute(self, slug: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/api/functions/{slug}/execute/", json={"params": {"a": 1}, **body})
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seen]:
    folder = tmp_path_factory.mktemp("prometheus") / "data"
    settings = {"SHOAL_EGRESS_PRIVATE": "true", "SHOAL_RECORDER_LEASE_S": "2", "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.01"}
    async with serving() as hook, running(folder, **settings) as shoal, shoal.client() as http:
        store = Store(shoal.ready["mongodb"], database="shoal")
        app = await Apps(store, "default").add("seen-too", name="seen-too")
        store.close()
        yield Seen(shoal, http, app.public_id, hook)


async def _of_each_mode(seen: Seen) -> dict[str, Callable[[], Any]]:
    """A function of each mode, to be called; each answers."""
    python = await seen.make("Python", ECHO, execution_mode="app")
    proxy = await seen.make("Proxy", execution_mode="proxy", webhook_url=f"http://127.0.0.1:{seen.hook.port}/")
    body = {"name": "deno", "code": ECHO_IN_DENO, "runtime": "javascript", "triggers": [{"type": "http"}]}
    deployed = await seen.http.post(f"/v1/{seen.app}/functions", json=body)
    assert deployed.status_code == 200, deployed.text
    return {
        "python": lambda: seen.execute(python),
        "proxy": lambda: seen.execute(proxy),
        "system": lambda: seen.execute("example"),
        "javascript": lambda: seen.http.post(f"/v1/{seen.app}/fn/deno", content=b"hello"),
    }


async def test_calls_of_each_mode_move_what_they_should(seen: Seen) -> None:
    calls = await _of_each_mode(seen)
    for call in calls.values():
        for _ in range(CALLS):
            await call()

    def recorded(found: Scraped) -> bool:
        return all(found.all("shoal_invocations_finished_total", mode=mode) >= CALLS for mode in calls)

    recorder = await seen.until("recorder", recorded)
    for mode in calls:
        trigger = "http" if mode == "javascript" else "api"
        ends = {"status": "SUCCESS", "mode": mode, "trigger": trigger}
        assert recorder.one("shoal_invocations_finished_total", **ends) == CALLS, mode
        assert recorder.one("shoal_invocation_seconds_count", mode=mode, status="SUCCESS") == CALLS
        stages = {stage: recorder.one("shoal_stage_seconds_sum", stage=stage, mode=mode) for stage in STAGES}
        assert all(recorder.one("shoal_stage_seconds_count", stage=of, mode=mode) == CALLS for of in STAGES)
        whole = recorder.one("shoal_invocation_seconds_sum", mode=mode, status="SUCCESS")
        assert sum(stages.values()) == pytest.approx(whole, rel=0.01), mode
    assert (
        recorder.one("shoal_function_invocations_total", tenant="default", function="python", status="SUCCESS") == CALLS
    )
    assert recorder.one("shoal_function_run_seconds_count", tenant="default", function="proxy") == CALLS
    assert recorder.one("shoal_events_recorded_total") >= 2 * CALLS * len(calls)
    assert recorder.one("shoal_recorder_batch_size_sum") == recorder.one("shoal_events_recorded_total")
    await _others_have_moved(seen, len(calls))


async def _others_have_moved(seen: Seen, modes: int) -> None:
    api, router, executor = [await seen.scrape(service) for service in ("api", "router", "executor")]
    assert api.all("shoal_invocations_accepted_total") >= CALLS * modes
    assert api.one("shoal_http_request_seconds_count", dialect="rest", **{"class": "execution"}) == CALLS * (modes - 1)
    assert api.one("shoal_http_request_seconds_count", dialect="apps", **{"class": "execution"}) == CALLS
    assert api.all("shoal_http_requests_total") == api.all("shoal_http_request_seconds_count")
    assert router.one("shoal_invocations_routed_total", decision="sent") == api.all("shoal_invocations_accepted_total")
    for pool in ("python", "javascript"):
        starts = {
            kind: executor.one("shoal_worker_starts_total", pool=pool, kind=kind) for kind in ("warm", "spare", "cold")
        }
        assert (starts["warm"], sum(starts.values())) == (CALLS - 1, CALLS), pool
        assert executor.one("shoal_workers", pool=pool, state="warm") == 1
        assert executor.one("shoal_workers", pool=pool, state="busy") == 0
        assert executor.one("shoal_slots", pool=pool) > executor.one("shoal_slots_busy", pool=pool) == 0


async def test_what_fails_is_counted_by_an_error_of_a_bounded_name(seen: Seen) -> None:
    slug = await seen.make("Fails", FAILS, execution_mode="app", config={"retries": {"error": 1}})
    assert "Mine" in str(await seen.execute(slug))
    found = await seen.until("recorder", lambda page: page.all("shoal_invocations_failed_total") >= 1)
    assert found.one("shoal_invocations_failed_total", mode="python", error="other") == 1
    executor = await seen.scrape("executor")
    assert executor.one("shoal_attempts_retried_total", error="other") == 1
    assert executor.one("shoal_dead_letters_total", stream="WORK", reason="error") == 1
    for service in SERVICES:
        assert "Mine" not in (await seen.page(service)).text


async def test_what_waits_and_what_is_in_hand(seen: Seen) -> None:
    """Of five calls of a function of which one may run at once."""
    slug = await seen.make("Spins", SPINS, execution_mode="app", config={"concurrency": 1})
    started = [await seen.execute(slug, **{"async": True}) for _ in range(5)]

    def waiting(found: Scraped) -> bool:
        return found.one("shoal_queue_depth", pool="python") == 4 and found.one("shoal_in_flight", pool="python") == 1

    found = await seen.until("recorder", waiting)
    assert found.one("shoal_queue_oldest_seconds", pool="python") > 0
    assert found.one("shoal_consumer_pending", stream="WORK", consumer="python") == 4
    assert found.one("shoal_consumer_unacknowledged", stream="WORK", consumer="python") == 1
    assert found.one("shoal_stream_messages", stream="WORK") == 5
    assert found.one("shoal_stream_bytes", stream="WORK") > 0
    for one in started:
        answer = await seen.http.post(f"/api/invocations/{one['invocation']['id']}/cancel/")
        assert answer.status_code == 202, answer.text
    after = await seen.until("recorder", lambda page: page.one("shoal_stream_messages", stream="WORK") == 0)
    assert after.one("shoal_queue_depth", pool="python") == after.one("shoal_in_flight", pool="python") == 0
    ends = await seen.until(
        "recorder", lambda page: page.all("shoal_invocations_finished_total", status="CANCELLED") >= 5
    )
    assert ends.one("shoal_invocations_finished_total", status="CANCELLED", mode="python", trigger="api") == 5
    api = await seen.scrape("api")
    assert api.all("shoal_invocations_cancelled_total") == 5


async def test_what_comes_from_outside(seen: Seen) -> None:
    """A webhook that is taken and one that is not, and a socket with a message."""
    triggers = [{"type": "webhook", "config": {"secret_required": False}}, {"type": "websocket", "config": {}}]
    code = "def handler(request, ctx):\n    return {'seen': True}"
    body = {"name": "outside", "code": code, "runtime": "python", "triggers": triggers}
    deployed = await seen.http.post(f"/v1/{seen.app}/functions", json=body)
    assert deployed.status_code == 200, deployed.text
    taken = await seen.http.post(deployed.json()["webhook"]["url"], content=b"{}")
    refused = await seen.http.post(f"/v1/{seen.app}/webhook/outside", content=b"{}")
    assert (taken.status_code, refused.status_code) == (200, 401)
    door = Door(seen.shoal.ready["triggers"], seen.shoal.token)
    async with door.socket(door.url(seen.app), door.token) as socket:
        assert (await socket.hear())["type"] == "connected"
        answer = await socket.ask(event("outside"))
        assert answer["type"] == "event_response", answer
        triggers_page = await seen.scrape("triggers")
        assert triggers_page.one("shoal_sockets") == 1
    assert triggers_page.one("shoal_frames_total", verdict="answered") == 1
    assert triggers_page.one("shoal_webhooks_total", source="none", verdict="accepted") == 1
    assert triggers_page.one("shoal_webhooks_total", source="none", verdict="rejected") == 1
    await seen.until("triggers", lambda page: page.one("shoal_sockets") == 0)
    ends = await seen.until(
        "recorder", lambda page: page.all("shoal_invocations_finished_total", trigger="websocket") > 0
    )
    for trigger in ("webhook", "websocket"):
        assert ends.one("shoal_invocations_finished_total", status="SUCCESS", mode="python", trigger=trigger) == 1
    api = await seen.scrape("api")
    assert api.one("shoal_http_request_seconds_count", dialect="triggers", **{"class": "execution"}) == 2


async def test_only_the_recorder_tells_of_the_bus(seen: Seen) -> None:
    for service in SERVICES:
        found = await seen.scrape(service)
        assert found.has("shoal_stream_messages") == (service == "recorder"), service


async def test_exemplars_name_calls_that_there_were(seen: Seen) -> None:
    slug = await seen.make("Named", ECHO, execution_mode="app")
    task_id = (await seen.execute(slug))["task_id"]

    def of(text: str) -> set[str]:
        samples = [sample for family in openmetrics(text) for sample in family.samples if sample.exemplar]
        named = [one for one in samples if one.labels.get("function") == slug]
        return {one.exemplar.labels["task_id"] for one in named if one.exemplar is not None}

    await seen.until("recorder", lambda page: page.all("shoal_function_invocations_total", function=slug) == 1)
    answer = await seen.page("recorder", accept="application/openmetrics-text; version=1.0.0")
    assert of(answer.text) == {task_id}


async def test_a_recorder_that_was_killed_counts_no_end_again(seen: Seen) -> None:
    slug = await seen.make("Again", ECHO, execution_mode="app")
    for _ in range(CALLS):
        await seen.execute(slug)
    await seen.until("recorder", lambda page: page.all("shoal_function_invocations_total", function=slug) == CALLS)
    dead = seen.shoal.kill("recorder")
    await seen.shoal.restarted("recorder", dead)
    await seen.execute(slug)  # behind all that is read again
    found = await seen.until("recorder", lambda page: page.all("shoal_function_invocations_total", function=slug) > 0)
    assert found.all("shoal_function_invocations_total", function=slug) == 1


async def test_promtool_has_no_complaint(seen: Seen) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing, which comes with Prometheus: on Debian, apt-get install prometheus"
    for service in SERVICES:
        page = (await seen.page(service)).content
        checking = await asyncio.create_subprocess_exec(
            promtool, "check", "metrics",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await checking.communicate(page)
        assert (checking.returncode, said.decode()) == (0, ""), service
