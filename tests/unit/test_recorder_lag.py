"""How far a recorder says that it is behind."""

import pytest
from prometheus_client import REGISTRY

from services.recorder import lag as module
from services.recorder.lag import Lag
from tests.unit.test_observing import AT, ended
from tests.unit.test_project import command


class Clock:
    """Both clocks of a process, set by hand."""

    def __init__(self) -> None:
        self.now = AT + 1.0  # an end is done then

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def shown() -> float | None:
    return REGISTRY.get_sample_value("shoal_recorder_lag_seconds")


def test_a_batch_that_waits_for_the_store_gets_older(clock: Clock) -> None:
    lag = Lag()
    assert shown() == 0
    lag.begin([ended(1), command("t-1")])
    clock.now += 3
    assert shown() == pytest.approx(3)
    lag.begin([ended(1)])  # once more
    clock.now += 4
    assert shown() == pytest.approx(7)
    lag.end()
    clock.now += 1
    assert shown() == pytest.approx(7)  # that is how far it was behind just now
    clock.now += 10
    assert shown() == 0


def test_a_command_is_held_back_on_purpose(clock: Clock) -> None:
    lag = Lag()
    lag.begin([command("t-1")])  # accepted long ago
    assert shown() == pytest.approx(0)


def test_who_records_no_more_is_not_behind(clock: Clock) -> None:
    lag = Lag()
    lag.begin([ended(1)])
    clock.now += 60
    lag.stop()
    assert shown() == 0
