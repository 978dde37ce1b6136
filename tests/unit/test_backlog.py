"""How long what was put aside waits."""

from services.executor.backlog import Backlog


def test_a_wait_is_as_long_as_those_before_may_take() -> None:
    backlog = Backlog()
    assert backlog.wait_s() == 0.25
    backlog.aside = 50
    slow = backlog.wait_s()
    assert slow == 5.0
    for _ in range(100):
        backlog.ended()
    assert backlog.wait_s() < slow
    backlog.aside = 10**6
    assert backlog.wait_s() == 30.0
