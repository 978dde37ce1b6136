"""Metrics without a store: buckets, quantiles, hours, and what a few ends add up to."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recorder.tally import End, counted
from shared.domain.invocation import Timeline
from shared.domain.metrics import HOUR_S, Hour, Metrics, bucket_of, duration_us, hour_of

NOON = 500_000 * HOUR_S + 60.0


def end(sequence: int, *, done: float = NOON, took_us: int | None = 1000, status: int = 200) -> End:
    return End(sequence, "acme", done - 1, done, took_us, status, status >= 400)


@given(st.integers(min_value=10, max_value=86_400_000_000))
def test_a_quantile_of_one_duration_is_it_within_a_twentieth(took_us: int) -> None:
    shown_ms = Metrics(total=1, latency={bucket_of(took_us): 1}).quantile_ms(0.5)
    assert shown_ms == pytest.approx(took_us / 1000, rel=0.05)


def test_quantiles_of_many_are_within_a_tenth() -> None:
    random.seed(7)
    durations_us = sorted(int(math.exp(random.gauss(9, 1.5))) for _ in range(10_000))
    latency: dict[int, int] = {}
    for took_us in durations_us:
        latency[bucket_of(took_us)] = latency.get(bucket_of(took_us), 0) + 1
    metrics = Metrics(total=10_000, latency=latency)
    for part in (0.5, 0.95, 0.99):
        assert metrics.quantile_ms(part) == pytest.approx(durations_us[int(part * 10_000) - 1] / 1000, rel=0.1)


def test_durations_beyond_the_buckets_stand_in_the_first_and_the_last() -> None:
    assert bucket_of(0) == bucket_of(9) == 0
    assert bucket_of(10**15) == bucket_of(86_400_000_000 * 2)


def test_what_was_never_run_has_no_duration() -> None:
    assert duration_us(Timeline(accepted=1.0, done=2.0)) is None
    assert duration_us(Timeline(accepted=1.0, started=2.0, done=2.5)) == 500_000
    assert duration_us(Timeline(accepted=1.0, started=2.0, done=1.9)) == 0
    metrics = counted([end(1, took_us=None, status=500)], newest=hour_of(NOON))
    assert (metrics.total, metrics.errors, metrics.latency, metrics.avg_duration_ms) == (1, 1, {}, 0.0)


def test_ends_add_up() -> None:
    ends = [end(1), end(2, took_us=3000, status=404), end(3, took_us=5000, status=201, done=NOON + HOUR_S)]
    metrics = counted(ends, newest=hour_of(NOON) + 1)
    assert (metrics.total, metrics.errors, metrics.duration_us, metrics.last_status) == (3, 1, 9000, 201)
    assert metrics.hours == {500_000: Hour(2, 1), 500_001: Hour(1, 0)}
    assert metrics.error_rate == pytest.approx(100 / 3)
    assert metrics.avg_duration_ms == 3.0
    assert metrics.last_at is not None
    assert metrics.last_at.timestamp() == NOON + HOUR_S - 1


def test_only_the_last_day_counts_by_the_hour() -> None:
    ends = [end(1, done=NOON - 24 * HOUR_S), end(2, done=NOON - 23 * HOUR_S), end(3), end(4, done=NOON + 2 * HOUR_S)]
    metrics = counted(ends, newest=hour_of(NOON))
    assert metrics.total == 4
    assert metrics.hours == {499_977: Hour(1, 0), 500_000: Hour(1, 0)}
    assert metrics.latest(now=NOON) == Hour(2, 0)
    assert metrics.latest(now=NOON + HOUR_S) == Hour(1, 0)
