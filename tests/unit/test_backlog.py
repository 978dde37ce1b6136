"""How long what was put aside waits."""

from services.executor.backlog import Backlog


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_wait_is_as_long_as_those_before_may_take() -> None:
    clock = Clock()
    backlog = Backlog(clock)
    assert backlog.put_aside(jitter=1.0) == 0.25
    for _ in range(48):
        backlog.put_aside(jitter=1.0)
    slow = backlog.put_aside(jitter=1.0)
    assert (slow, len(backlog)) == (5.0, 50)
    assert backlog.put_aside(jitter=0.5) == 2.55
    for _ in range(100):
        backlog.ended()
    assert backlog.put_aside(jitter=1.0) < slow
    for _ in range(10_000):
        backlog.put_aside(jitter=1.0)
    assert backlog.put_aside(jitter=1.0) == 30.0


def test_who_has_come_due_is_waited_for_no_more_whoever_got_it() -> None:
    clock = Clock()
    backlog = Backlog(clock)
    for _ in range(300):
        backlog.put_aside(jitter=1.0)
    clock.now += 15.0
    assert len(backlog) == 150
    clock.now += 30.0
    assert len(backlog) == 0
    assert backlog.put_aside(jitter=1.0) == 0.25
