"""When another try is worth it, and when it is due."""

import pytest

from shared.domain.problem import Problem
from shared.domain.retry import (
    Backoff,
    Retries,
    asked_s,
    backoff_of,
    check_retries,
    class_of,
    is_lasting,
    is_passing,
    retries_of,
    runs_at_most_once,
)

BACKOFF = Backoff(first_s=1.0, most_s=10.0, most_asked_s=60.0)
NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize("error_type", ["CodeRefused", "ParamsTooLarge", "ResultTooLarge", "FunctionNotFound"])
def test_some_errors_last(error_type: str) -> None:
    assert is_lasting(error_type)
    assert not is_lasting("SandboxError")


def test_a_function_may_have_pauses_of_its_own() -> None:
    assert BACKOFF.of(first_s=0, most_s=0) == BACKOFF
    assert BACKOFF.of(first_s=2, most_s=3) == Backoff(first_s=2, most_s=3, most_asked_s=60)
    assert BACKOFF.of(first_s=20, most_s=0).most_s == 20


def test_pauses_double_up_to_a_bound_and_are_wholly_random() -> None:
    assert [BACKOFF.pause_s(attempt, chance=1.0) for attempt in (1, 2, 3, 4, 5, 90)] == [1, 2, 4, 8, 10, 10]
    assert [BACKOFF.pause_s(attempt, chance=0.0) for attempt in (1, 5)] == [0, 0]
    assert BACKOFF.pause_s(3, chance=0.25) == 1.0


def test_an_asked_pause_is_kept_within_its_bound() -> None:
    assert BACKOFF.pause_s(1, chance=0.0, asked_s=7.0) == 7.0
    assert BACKOFF.pause_s(1, chance=0.5, asked_s=7.0) == 7.5
    assert BACKOFF.pause_s(1, chance=0.0, asked_s=900.0) == 60.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0), (" 3 ", 3.0), ("Fri, 15 Jan 2027 08:01:30 GMT", 90.0), ("Friday, 15-Jan-27 08:01:30 GMT", 90.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0), ("", 0.0), ("soon", 0.0), ("-5", 0.0), ("1.5", 0.0), ("٣", 0.0),
        ("Fri, 99 Jan 2027 08:01:30 GMT", 0.0), ("9" * 400, 999_999_999.0), ("Fri, 15 Jan 2027 08:01:30 -0000", 90.0),
    ],
)  # fmt: skip
def test_what_retry_after_asks_for(text: str, seconds: float) -> None:
    assert asked_s(text, now=NOW) == seconds


def test_statuses_that_pass() -> None:
    assert [status for status in range(100, 600) if is_passing(status)] == [408, 425, 429, *range(500, 600)]


@pytest.mark.parametrize(("wish", "retries"), [(3, 3), (0, 0), (-1, 0), (True, 0), ("3", 0), (1000, 100), (None, 0)])
def test_how_often_a_function_wants_it(wish: object, retries: int) -> None:
    assert retries_of({"max_retries": wish}) == Retries(timeout=retries, error=retries, infrastructure=retries)
    assert retries_of({}) == Retries()


def test_a_class_of_errors_has_a_number_of_its_own() -> None:
    found = retries_of({"max_retries": 2, "retries": {"timeout": 0, "infrastructure": 500}})
    assert found == Retries(timeout=0, error=2, infrastructure=100)
    assert [found.after(class_of(name)) for name in ("TimeoutError", "ValueError", "WorkerDied")] == [0, 2, 100]


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"max_retries": 101}, "config.max_retries"), ({"max_retries": True}, "config.max_retries"),
        ({"retries": 3}, "config.retries"), ({"retries": {"oom": 1}}, "config.retries"),
        ({"retries": {"timeout": -1}}, "config.retries.timeout"), ({"retry_first_s": -1}, "config.retry_first_s"),
        ({"retry_most_s": 1e9}, "config.retry_most_s"), ({"delivery": "exactly_once"}, "config.delivery"),
        ({"delivery": "at_most_once", "max_retries": 1}, "config.delivery"),
        ({"retry_first_s": float("nan")}, "config.retry_first_s"),
    ],
)  # fmt: skip
def test_retries_that_make_no_sense_are_refused(config: dict[str, object], named: str) -> None:
    with pytest.raises(Problem) as refused:
        check_retries(config)
    assert list(refused.value.fields) == [named]


def test_what_may_run_once_alone_has_no_retries() -> None:
    check_retries({"delivery": "at_most_once", "retries": {"error": 0}})
    assert runs_at_most_once({"delivery": "at_most_once"})
    assert not runs_at_most_once({"delivery": "at_least_once"})
    assert backoff_of({"retry_first_s": 2}) == (2.0, 0.0)
