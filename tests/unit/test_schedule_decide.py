"""What becomes of a tick, case by case."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from services.scheduler.decide import Decision, Previous, Rules, decide, is_current, overlaps, plan_of
from shared.bus.notices import Tick
from shared.domain.function import ActiveVersion, Function
from shared.schedule import timetable
from shared.submit import due_task_id

MINUTE = 60
NOON = int(datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp())
RULES = Rules(missed_s=60, overlap_s=3600)
RUNS = Previous("task-before", NOON - 300, "STARTED")


def function(**fields: Any) -> Function:
    values: dict[str, Any] = {
        "id": 7, "tenant": "acme", "app": 1, "app_slug": "a", "app_name": "A", "name": "F", "slug": "f",
        "execution_mode": "app", "schedule_enabled": True, "cron_expression": "*/5 * * * *",
        "active": ActiveVersion(id=1, version="1", code_hash="x"), "created_at": datetime.now(UTC),
        "updated_at": datetime.now(UTC),
    }  # fmt: skip
    return Function(**(values | fields))


def decided(late_s: float, *, due: int = NOON, previous: Previous | None = None, **fields: Any) -> Decision:
    one = function(**fields)
    tick = Tick(tenant="acme", function_id=7, due=due, plan=plan_of(one))
    table = timetable(one.cron_expression, one.schedule_timezone)
    return decide(tick, function=one, table=table, now=due + late_s, previous=previous, rules=RULES)


def then(found: Decision, expression: str = "*/5 * * * *") -> int | None:
    return timetable(expression, "UTC").after(found.after)


@pytest.mark.parametrize(("late_s", "state"), [(0.01, "fired"), (1.9, "fired"), (2.1, "late"), (60, "late")])
@pytest.mark.parametrize("policy", ["once", "skip"])
def test_a_tick_that_has_come_is_run_and_the_next_one_planned(late_s: float, state: str, policy: str) -> None:
    found = decided(late_s, schedule_missed_runs=policy)
    assert (found.run, then(found)) == (NOON, NOON + 5 * MINUTE)
    assert [(entry.due, entry.state, entry.reason) for entry in found.entries] == [(NOON, state, "")]


def test_one_run_makes_up_for_all_that_were_missed() -> None:
    found = decided(17 * MINUTE)
    assert (found.run, then(found)) == (NOON + 15 * MINUTE, NOON + 20 * MINUTE)
    missed, ran = found.entries
    assert (missed.due, missed.until, missed.count, missed.state) == (NOON, NOON + 10 * MINUTE, 3, "skipped")
    assert "3 runs were missed" in missed.reason
    assert (ran.due, ran.state) == (NOON + 15 * MINUTE, "caught_up")


def test_one_that_was_missed_alone_is_made_up_for_without_a_gap() -> None:
    found = decided(90)
    assert found.run == NOON
    assert [(entry.due, entry.state) for entry in found.entries] == [(NOON, "caught_up")]


def test_missed_runs_are_skipped_where_that_is_the_policy_but_not_what_is_due_now() -> None:
    found = decided(17 * MINUTE, schedule_missed_runs="skip")
    assert (found.run, then(found)) == (None, NOON + 20 * MINUTE)
    [missed] = found.entries
    assert (missed.due, missed.until, missed.count) == (NOON, NOON + 15 * MINUTE, 4)
    found = decided(15 * MINUTE + 30, schedule_missed_runs="skip")
    assert (found.run, then(found)) == (None, NOON + 15 * MINUTE)  # half a minute ago: planned, and fires as late
    assert found.entries[0].count == 3


def test_the_count_of_missed_runs_is_bounded() -> None:
    found = decided(86_400 * 30, cron_expression="* * * * *", schedule_missed_runs="skip")
    [missed] = found.entries
    assert missed.count == 100
    assert "100 or more" in missed.reason
    assert missed.until == NOON + 86_400 * 30 - 2 * MINUTE
    assert then(found, "* * * * *") == NOON + 86_400 * 30 - MINUTE


def test_no_code_and_overlap_are_reasons() -> None:
    found = decided(0, active=None)
    assert (found.run, then(found)) == (None, NOON + 5 * MINUTE)
    assert found.entries[0].reason == "The function has no active code"
    one = function()
    tick = Tick(tenant="acme", function_id=7, due=NOON, plan=plan_of(one))
    barred = Rules(missed_s=60, overlap_s=3600, is_active=False)
    table = timetable(one.cron_expression, "UTC")
    found = decide(tick, function=one, table=table, now=NOON, previous=None, rules=barred)
    assert (found.run, found.entries[0].reason) == (None, "The tenant is not active")
    found = decided(0, previous=RUNS, schedule_overlap="skip")
    assert found.run is None
    assert "task-before" in found.entries[0].reason
    assert decided(0, previous=RUNS).run == NOON  # allowed
    assert decided(17 * MINUTE, previous=RUNS, schedule_overlap="skip").run is None


@pytest.mark.parametrize(
    ("status", "age_s", "expected"),
    [
        ("SUCCESS", 1, False), ("FAILURE", 1, False), ("STARTED", 1, True), ("RETRY", 3599, True),
        ("STARTED", 3601, False), (None, 1, True), (None, 299, True), (None, 301, False),
    ],
)  # fmt: skip
def test_a_run_that_is_late_on_record_or_lost_does_not_hold_up_others_for_ever(
    status: Any, age_s: float, expected: bool
) -> None:
    assert overlaps(Previous("t", NOON - age_s, status), now=NOON, overlap_s=3600) is expected


def test_nothing_before_is_no_overlap() -> None:
    assert overlaps(None, now=NOON, overlap_s=3600) is False


@pytest.mark.parametrize(
    "fields",
    [{"is_active": False}, {"schedule_enabled": False}, {"cron_expression": "0 * * * *"},
     {"schedule_timezone": "Europe/Berlin"}, {"cron_expression": ""}],
)  # fmt: skip
def test_a_plan_of_another_schedule_is_nobodys(fields: dict[str, Any]) -> None:
    tick = Tick(tenant="acme", function_id=7, due=NOON, plan=plan_of(function()))
    assert is_current(tick, function())
    assert is_current(tick, function(schedule_missed_runs="skip", revision=9))
    assert not is_current(tick, function(**fields))
    assert not is_current(tick, None)


def test_the_task_id_is_the_same_for_everybody_and_says_when_it_was_due() -> None:
    one = due_task_id("acme", 7, NOON)
    assert one == due_task_id("acme", 7, NOON)
    assert len({one, due_task_id("acme", 8, NOON), due_task_id("acme", 7, NOON + 60), due_task_id("b", 7, NOON)}) == 4
    parsed = uuid.UUID(one)
    assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, uuid.RFC_4122, NOON * 1000)
