"""What the recorder's metrics say of ends: each counted once, with its stages and an exemplar."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from services.recorder.observing import Observing, exemplar_of, stages
from shared import telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, cancelled, failure
from shared.labels import FunctionLabels
from shared.tracing import Trace

AT = 1_700_000_000.0
WELL = Outcome(status="SUCCESS")
RAN = Timeline(accepted=AT, routed=AT + 0.1, picked=AT + 0.3, started=AT + 0.6, done=AT + 1.0)
OBSERVED = (
    telemetry.FINISHED,
    telemetry.FAILED,
    telemetry.STAGE,
    telemetry.TOTAL,
    telemetry.OF_FUNCTION,
    telemetry.RUN,
)


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    for metric in OBSERVED:
        metric.clear()
    return


@pytest.fixture
def observing() -> Observing:
    made = Observing(FunctionLabels(functions=4, tenants=2))
    made.begin("stream")
    return made


def ended(sequence: int, outcome: Outcome = WELL, *, timeline: Timeline = RAN, **fields: Any) -> Delivery[Finished]:
    body = Finished(
        id=sequence, task_id=fields.pop("task_id", f"task-{sequence}"), tenant="acme", function_id=7,
        function_name="F", version="1", trigger_type="api", user=None, timeline=timeline, delivery=1, executor="e",
        outcome=outcome, **{"function": "f", "mode": "python", **fields},
    )  # fmt: skip
    return Delivery(body=body, sequence=sequence, count=1)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def finished(status: str = "SUCCESS", mode: str = "python") -> float:
    return value("shoal_invocations_finished_total", status=status, mode=mode, trigger="api")


def test_an_end_is_counted_with_what_it_is_of(observing: Observing) -> None:
    ends = [ended(1), ended(2, failure("Mine", "x")), ended(3, failure("TimeoutError", "x"), mode="")]
    observing.written(ends, set())
    assert (finished(), finished("FAILURE"), finished("FAILURE", "none")) == (1, 1, 1)
    assert value("shoal_invocations_failed_total", mode="python", error="other") == 1
    assert value("shoal_invocations_failed_total", mode="none", error="TimeoutError") == 1
    assert value("shoal_function_invocations_total", tenant="acme", function="f", status="FAILURE") == 2
    assert value("shoal_function_run_seconds_count", tenant="acme", function="f") == 3


def of(timeline: Timeline, *, recorded: float) -> dict[str, float]:
    """The stages of one end."""
    return {
        stage: took for stage, times, _ in stages([ended(1, timeline=timeline)], recorded=recorded) for took in times
    }


def test_the_stages_of_what_ran_are_its_whole_time(observing: Observing) -> None:
    parts = of(RAN, recorded=AT + 1.5)
    assert list(parts) == ["routed", "picked", "started", "done", "recorded"]
    assert parts == pytest.approx({"routed": 0.1, "picked": 0.2, "started": 0.3, "done": 0.4, "recorded": 0.5})
    observing.observe([ended(1)], recorded=AT + 1.5)
    sums = [value("shoal_stage_seconds_sum", stage=stage, mode="python") for stage in parts]
    assert sum(sums) == pytest.approx(value("shoal_invocation_seconds_sum", mode="python", status="SUCCESS"))


def test_what_never_ran_has_no_time_of_running(observing: Observing) -> None:
    waiting = Timeline(accepted=AT, done=AT + 60)
    refused = Timeline(accepted=AT, routed=AT + 0.1, done=AT + 0.1)
    assert of(waiting, recorded=AT + 61) == pytest.approx({"recorded": 1})
    assert of(refused, recorded=AT + 0.4) == pytest.approx({"routed": 0.1, "recorded": 0.3})
    observing.written([ended(1, cancelled("ada"), timeline=waiting), ended(2, cancelled("ada"))], set())
    assert value("shoal_function_run_seconds_count", tenant="acme", function="f") == 1
    assert value("shoal_stage_seconds_count", stage="done", mode="python") == 1
    assert finished("CANCELLED") == 2


def test_clocks_that_differ_make_nothing_negative(observing: Observing) -> None:
    odd = Timeline(accepted=AT, routed=AT - 5, picked=AT - 6, started=AT - 4, done=AT - 3)
    observing.observe([ended(1, timeline=odd)], recorded=AT - 2)
    assert value("shoal_stage_seconds_sum", stage="routed", mode="python") == 0
    assert value("shoal_invocation_seconds_sum", mode="python", status="SUCCESS") == 0


def test_what_was_on_record_before_is_not_counted(observing: Observing) -> None:
    """By a recorder that was killed after it had written them: this one reads them again."""
    observing.written([ended(number) for number in range(1, 11)], {1, 2, 3})
    assert finished() == 7


def test_what_a_failed_try_has_put_on_record_is_counted_by_the_next(observing: Observing) -> None:
    ends = [ended(number) for number in range(1, 11)]
    observing.failed(ends)
    observing.written(ends, {1, 2, 3})
    assert finished() == 10
    observing.written(ends, {end.sequence for end in ends})
    observing.written(ends, set())  # the database was emptied, and all is recorded anew
    assert finished() == 10


def test_a_stream_that_was_made_anew_counts_from_its_beginning(observing: Observing) -> None:
    observing.written([ended(100)], set())
    observing.begin("stream")
    observing.written([ended(1)], set())
    assert finished() == 1
    observing.begin("another")
    observing.written([ended(1)], set())
    assert finished() == 2


def test_functions_beyond_the_bound_are_the_others(observing: Observing) -> None:
    observing.written([ended(number, function=f"f-{number}") for number in range(1, 6)], set())
    assert value("shoal_function_invocations_total", tenant="acme", function="f-2", status="SUCCESS") == 1
    assert value("shoal_function_invocations_total", tenant="acme", function="other", status="SUCCESS") == 3


def test_the_slowest_of_a_batch_is_the_exemplar(observing: Observing) -> None:
    slow = Timeline(accepted=AT - 20, routed=AT - 19, picked=AT - 18, started=AT - 17, done=AT)
    observing.observe([ended(1), ended(2, timeline=slow), ended(3)], recorded=AT + 1)
    found = {
        sample.exemplar.labels["task_id"]
        for family in text_string_to_metric_families(generate_latest(REGISTRY).decode())
        for sample in family.samples
        if sample.exemplar and family.name == "shoal_invocation_seconds"
    }
    assert found == {"task-2"}


def test_an_exemplar_names_the_trace_that_is_kept() -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    for flags, expected in (("01", {"trace_id": trace_id}), ("03", {"trace_id": trace_id}), ("00", {}), ("02", {})):
        delivery = msgspec.structs.replace(ended(1), trace=Trace(f"00-{trace_id}-00f067aa0ba902b7-{flags}"))
        assert exemplar_of(delivery) == {"task_id": "task-1", **expected}


def test_an_exemplar_is_never_too_long() -> None:
    delivery = msgspec.structs.replace(ended(1, task_id="x" * 500), trace=Trace(f"00-{'y' * 500}-0-01"))
    found = exemplar_of(delivery)
    assert sum(len(name) + len(text) for name, text in found.items()) <= 128
