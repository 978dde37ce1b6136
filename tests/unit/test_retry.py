"""When another try is worth it, and when it is due."""

import pytest

from shared.domain.retry import Backoff, asked_s, is_passing, retries_of

BACKOFF = Backoff(first_s=1.0, most_s=10.0, most_asked_s=60.0)
NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


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
    assert retries_of({"max_retries": wish}) == retries
    assert retries_of({}) == 0
