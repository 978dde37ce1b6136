"""Limits: never over any bound, whatever is asked for; and what is asked for is checked by name."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config import Platform
from shared.domain.limits import FIELDS, Limits, check_limits, key_of, limits_of
from shared.domain.outcome import Outcome, failure, limits_reached
from shared.domain.problem import Problem
from tests.limits import PLATFORM

SECONDS = ("timeout_s", "cpu_s")
MOST = PLATFORM.most


def amount(field: str) -> st.SearchStrategy[Any]:
    most = getattr(MOST, field)
    return st.floats(0.001, most) if field in SECONDS else st.integers(64, most)


def some_of(names: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the limits, under these names."""
    return st.fixed_dictionaries({}, optional={name: amount(field) for field, name in names.items()})


CONFIGS = some_of({field: key_of(field) for field in FIELDS})
CEILINGS = some_of({field: field for field in FIELDS})


@given(CONFIGS, CEILINGS)
def test_limits_are_the_wish_within_every_bound(config: dict[str, Any], tenant: dict[str, Any]) -> None:
    made = limits_of(config, PLATFORM, tenant=tenant)
    for field in FIELDS:
        value, most = getattr(made, field), getattr(MOST, field)
        wish = config.get(key_of(field), getattr(PLATFORM.default, field))
        assert value <= most
        assert value <= tenant.get(field, most)
        assert value <= wish
        bounds = [wish, most, tenant.get(field, most)]
        assert value == min([*bounds, made.timeout_s] if field == "cpu_s" else bounds)
    assert made.cpu_s <= made.timeout_s


@given(CONFIGS)
def test_what_is_accepted_is_what_a_call_gets(config: dict[str, Any]) -> None:
    check_limits(config, MOST)
    made = limits_of(config, PLATFORM, tenant={})
    for field in set(FIELDS) - {"cpu_s"}:
        if key_of(field) in config:
            assert getattr(made, field) == config[key_of(field)]
    assert msgspec.convert(msgspec.to_builtins(made), Limits) == made


@given(CONFIGS, CEILINGS)
def test_a_wish_is_refused_exactly_when_it_is_over_a_bound(config: dict[str, Any], tenant: dict[str, Any]) -> None:
    over = [field for field in FIELDS if config.get(key_of(field), 0) > tenant.get(field, getattr(MOST, field))]
    if not over:
        check_limits(config, MOST, tenant=tenant)
        return
    with pytest.raises(Problem) as raised:
        check_limits(config, MOST, tenant=tenant)
    assert raised.value.code == "invalid"
    assert list(raised.value.fields) == [f"config.{key_of(over[0])}"]
    assert f"to {tenant.get(over[0], getattr(MOST, over[0])):.15g}" in raised.value.message


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("wish", [None, "1", True, [], {}, -1, float("nan"), float("inf"), 10**30])
def test_what_is_no_amount_is_refused_by_its_name(field: str, wish: object) -> None:
    name = f"config.{key_of(field)}"
    with pytest.raises(Problem, match=f"^{name} must be a") as raised:
        check_limits({key_of(field): wish}, MOST)
    assert name in raised.value.fields


@pytest.mark.parametrize("field", [field for field in FIELDS if field not in SECONDS])
def test_half_a_byte_is_refused(field: str) -> None:
    with pytest.raises(Problem, match="a whole number"):
        check_limits({field: 100.5}, MOST)


@pytest.mark.parametrize(("key", "least"), [("memory_mb", 64), ("timeout", 0.001), ("result_bytes", 1)])
def test_the_least_that_can_be_asked_for(key: str, least: float) -> None:
    check_limits({key: least}, MOST)
    with pytest.raises(Problem, match=f"from {least:g} to"):
        check_limits({key: least / 2 if least < 1 else int(least) - 1}, MOST)


def test_none_may_be_asked_for_of_lines_and_output() -> None:
    check_limits({"log_lines": 0, "output_bytes": 0}, MOST)
    made = limits_of({"log_lines": 0, "output_bytes": 0}, PLATFORM, tenant={})
    assert (made.log_lines, made.output_bytes) == (0, 0)


def test_a_default_never_exceeds_what_a_lowered_platform_allows() -> None:
    platform = Platform(
        nats_url="nats://x", mongodb_url="mongodb://y", max_timeout_s=5, max_memory_mb=64, max_log_lines=10
    )
    made = limits_of({}, platform.bounds, tenant={})
    assert (made.timeout_s, made.cpu_s, made.memory_mb, made.log_lines) == (5, 5, 64, 10)


def test_which_limits_an_outcome_met() -> None:
    assert limits_reached(Outcome(status="SUCCESS")) == []
    assert limits_reached(failure("SandboxError", "TimeoutError: raised by the function")) == []
    named = {
        "TimeoutError": "wall", "CpuLimitExceeded": "cpu", "MemoryError": "memory", "ResultTooLarge": "result",
        "ParamsTooLarge": "params",
    }  # fmt: skip
    assert {error: limits_reached(failure(error, "x")) for error in named} == {e: [name] for e, name in named.items()}
    warnings = ["OutputTruncated: a: b", "LogTruncated: c"]
    assert limits_reached(Outcome(status="SUCCESS", warnings=warnings)) == ["output", "log_lines"]
