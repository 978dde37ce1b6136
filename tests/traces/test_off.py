"""Without traces there is nothing of them: no module, no header. With them, what goes wrong keeps nobody."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.recorder.spans import stages_of
from shared import tracing
from shared.bus import broker
from shared.bus.broker import Bus
from shared.domain.invocation import Timeline
from shared.tracing import NONE, Trace
from tests.platform import running
from tests.traces.collector import collecting

LIBRARY = ("opentelemetry.sdk", "opentelemetry.trace", "opentelemetry.context", "opentelemetry.exporter", "google.")
TRACED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def headers_of(bus: Bus, stream: str) -> list[set[str]]:
    """The names of the headers of every message there is."""
    state = (await bus.stream.stream_info(stream)).state
    messages = [await bus.stream.get_msg(stream, number) for number in range(state.first_seq, state.last_seq + 1)]
    return [{name.lower() for name in message.headers or {}} for message in messages]


async def test_no_service_loads_opentelemetry_and_no_message_has_a_header_more(tmp_path: Path) -> None:
    """What is there in any case are names of the conventions, for which FastStream and Litestar look."""
    async with running(tmp_path / "off", PYTHONPROFILEIMPORTTIME="1", OTEL_TRACES_EXPORTER="none") as platform:
        async with platform.client() as client:
            await client.post("/api/functions/example/execute/", json={"params": {}}, headers={"traceparent": TRACED})
        async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
            for stream in ("INVOKE", "EVENTS"):
                found = await headers_of(bus, stream)
                assert found
                assert all("traceparent" not in names and "nats-msg-id" in names for names in found)
    loaded = {line.rpartition("|")[2].strip() for line in platform.log.read_text().splitlines() if "|" in line}
    assert "shared.tracing" in loaded
    assert "faststream.nats" in loaded
    assert [name for name in sorted(loaded) if name.startswith(LIBRARY)] == []
    assert "shared.tracing.spans" not in loaded


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Traces in this process, for a collector that is away; what is said of that."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    said: list[str] = []
    tracing.start("test", trouble=said.append)
    yield said
    tracing.stop(within_s=5)


def test_a_collector_that_is_away_keeps_nobody(traced: list[str]) -> None:
    with tracing.span("lost") as span:
        assert len(span.trace_id) == 32
    tracing.stop(within_s=5)
    logging.getLogger("opentelemetry.sdk").error("nobody is told any more")
    assert len(traced) == 1
    assert (tracing.on, tracing.span("none").trace_id) == (False, "")


async def test_log_lines_and_exemplars_say_of_which_trace_they_are(traced: list[str]) -> None:
    with tracing.span("something") as span:
        assert tracing.into_log(None, "info", {"event": "said"}) == {"event": "said", "trace_id": span.trace_id}
        assert tracing.trace_id() == span.trace_id
    assert tracing.into_log(None, "info", {"event": "said"}) == {"event": "said"}
    assert tracing.trace_id() == ""
    assert tracing.trace_id(Trace(TRACED)) == TRACED.split("-")[1]
    assert tracing.trace_id(Trace(TRACED[:-2] + "00")) == ""


@pytest.mark.parametrize("parent", ["", "00-zz", "00-" + "0" * 32 + "-" + "1" * 16 + "-01", "x" * 5000])
async def test_what_is_no_place_in_a_trace_is_none(traced: list[str], parent: str) -> None:
    with tracing.serving("POST", Trace(parent), believed=True) as span:
        assert len(span.trace_id) == 32
    assert tracing.trace_id(Trace(parent)) == ""
    tracing.carry(Trace(parent))
    assert tracing.stamped({}) == {}


async def test_the_state_of_other_makers_travels_and_ours_does_not_leave(traced: list[str]) -> None:
    tracing.carry(Trace(TRACED, "shoal=00f067aa0ba902b7,vendor=1"))
    with tracing.attempt("attempt 2"):
        assert dict(tracing.passed_on())["tracestate"] == "vendor=1"
        assert tracing.stamped({}) == {"traceparent": TRACED, "tracestate": "vendor=1"}
        again = tracing.stamped({}, followed=True)
        assert again["traceparent"] == TRACED
        assert again["tracestate"].startswith("shoal=")
        assert again["tracestate"].endswith(",vendor=1")


@pytest.mark.parametrize("state", ["shoal=zz", "shoal=0000000000000000", "shoal", "=,=", "x" * 5000, "shoal=,a=1"])
async def test_nobody_can_say_which_try_is_followed_but_we(traced: list[str], state: str) -> None:
    tracing.carry(Trace(TRACED, state))
    with tracing.attempt("attempt 2"):
        assert "shoal" not in dict(tracing.passed_on()).get("tracestate", "")
    with tracing.serving("POST", Trace(TRACED, "shoal=00f067aa0ba902b7,vendor=1"), believed=True):
        assert dict(tracing.passed_on())["tracestate"] == "vendor=1"
    assert traced == []


async def test_what_is_not_kept_is_passed_on_as_it_came_and_nothing_is_made_of_it(traced: list[str]) -> None:
    dropped = TRACED[:-2] + "00"
    with tracing.serving("POST", Trace(dropped, "vendor=1"), believed=True) as span:
        assert span.trace_id == ""
        [(_, below), (_, state)] = tracing.passed_on()
        assert (below[:36], below[-3:], state) == (dropped[:36], "-00", "vendor=1")
        with tracing.submitting("send INVOKE", 1.0) as sent:
            assert sent is tracing.NO_SPAN
            assert tracing.stamped({}) == dict(tracing.passed_on())
        here = tracing.here()
    assert tracing.passed_on() == []
    with tracing.at(here), tracing.span("run") as run:
        assert run is tracing.NO_SPAN
    with tracing.within(Trace(dropped)):
        assert tracing.stamped({}) == {"traceparent": dropped}
    tracing.carry(Trace(dropped))
    assert tracing.attempt("attempt 1") is tracing.NO_SPAN
    assert tracing.stamped({}, followed=True) == {"traceparent": dropped}


def test_off_costs_nothing_to_speak_of() -> None:
    headers = {"a": "b"}
    assert tracing.stamped(headers) is headers
    assert tracing.span("a") is tracing.attempt("b")
    assert tracing.came_with({"traceparent": TRACED}) is NONE
    assert tracing.passed_on() == []


def test_stages_are_the_whole_whatever_the_clocks_say() -> None:
    one = Timeline(accepted=10.0, routed=9.0, picked=12.0, started=0.0, done=13.0)
    stages = stages_of(one, recorded=12.5)
    assert [stage.name for stage in stages] == ["routed", "picked", "done", "recorded"]
    assert [(stage.began, stage.ended) for stage in stages] == [(10, 10), (10, 12), (12, 13), (13, 13)]


async def test_what_is_left_is_sent_at_the_end(tmp_path: Path) -> None:
    async with collecting() as collector:
        later = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.hook.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        async with (
            running(tmp_path / "ending", SHOAL_TRACE_FLUSH_S="5", **later) as platform,
            platform.client() as client,
        ):
            answer = await client.post("/api/functions/example/execute/", json={"params": {}})
            assert answer.status_code == 200, answer.text
            assert collector.spans == []
        whole = await collector.invocation(answer.json()["task_id"])
        services = {span.service for span in collector.of(whole.trace)}
    assert services == {"shoal-api", "shoal-router", "shoal-executor", "shoal-recorder"}
