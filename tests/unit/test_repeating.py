"""Which calls an executor makes again, and which it must not begin; its ports are played by the test."""

import time

import pytest

from services.executor.execution import Repeats
from services.executor.links import Lost
from services.executor.mode import Unavailable
from shared.bus.delivery import DONE, Delivery, Last, Later
from shared.bus.messages import Begun
from shared.domain.outcome import Outcome, expired, failure
from shared.domain.problem import Problem
from shared.domain.request import Response
from shared.domain.retry import Backoff, Retries
from tests.unit.test_execution import SUCCESS, Links, Mode, delivery, made

ALWAYS = Retries(timeout=9, error=9, infrastructure=9)


@pytest.mark.parametrize(
    ("error_type", "retries", "error_class"),
    [
        ("SandboxError", Retries(error=1), "error"),
        ("TypeError", Retries(error=1), "error"),
        ("TimeoutError", Retries(timeout=1), "timeout"),
        ("CpuLimitExceeded", Retries(timeout=1), "timeout"),
        ("WorkerDied", Retries(infrastructure=1), "infrastructure"),
        ("SecretUnreadable", Retries(infrastructure=1), "infrastructure"),
    ],
)
async def test_each_class_has_a_number_of_its_own(error_type: str, retries: Retries, error_class: str) -> None:
    links, mode = Links(), Mode()
    mode.result = failure(error_type, "no")
    assert await made(links, mode).handle(delivery(retries=retries)) == DONE
    assert [(one.attempt, one.error_class, one.error) for one in links.retries] == [
        (1, error_class, f"{error_type}: no")
    ]
    assert (len(links.postponed), links.ends) == (1, [])
    assert await made(links, mode).handle(delivery(retries=retries, attempt=2)) == DONE
    assert [end.outcome.error_type for end in links.ends] == [error_type]
    others = {name: 9 - 9 * getattr(retries, name) for name in Retries.__struct_fields__}
    assert await made(links, mode).handle(delivery(task_id="t-2", retries=Retries(**others))) == DONE
    assert (len(links.postponed), len(links.ends)) == (1, 2)


@pytest.mark.parametrize("error_type", ["ResultTooLarge", "SandboxViolation", "EgressRefused", "NotSupported"])
async def test_what_would_fail_for_ever_is_not_made_again(error_type: str) -> None:
    links, mode = Links(), Mode()
    mode.result = failure(error_type, "no")
    assert await made(links, mode).handle(delivery(retries=ALWAYS)) == DONE
    assert (len(links.ends), links.postponed) == (1, [])


async def test_a_mode_that_judges_is_believed() -> None:
    links, mode = Links(), Mode()
    mode.judges, mode.result = True, failure("HTTPError", "404")
    assert await made(links, mode).handle(delivery(retries=ALWAYS)) == DONE
    assert (len(links.ends), links.postponed) == (1, [])


@pytest.mark.parametrize(("reply_to", "status", "again"), [("r", 503, False), ("", 503, True), ("", 404, False)])
async def test_a_handlers_answer_is_an_answer_to_who_waits(reply_to: str, status: int, again: bool) -> None:
    links, mode = Links(), Mode()
    mode.result = Outcome(status="SUCCESS", response=Response(status=status))
    asked = {"retries": Retries(error=1), "reply_to": reply_to}
    assert await made(links, mode).handle(delivery(**asked)) == DONE
    assert len(links.postponed) == again
    if again:
        assert links.retries[0].error == "HTTPError: the handler answered 503"
        assert await made(links, mode).handle(delivery(attempt=2, **asked)) == DONE
    assert [(end.outcome.status, end.outcome.status_code) for end in links.ends] == [("SUCCESS", status)]


async def test_who_has_a_part_of_an_answer_is_given_no_other_one() -> None:
    links, mode = Links(), Mode()
    links.hosted.answering, mode.result = True, failure("Error", "midway")
    assert await made(links, mode).handle(delivery(retries=ALWAYS)) == DONE
    assert (len(links.ends), links.postponed) == (1, [])


@pytest.mark.parametrize(
    ("fields", "attempt", "most"),
    [
        ({}, 1, 2.0),
        ({}, 2, 4.0),
        ({}, 9, 6.0),
        ({"retry_first_s": 0.5}, 2, 1.0),
        ({"retry_first_s": 30.0}, 1, 30.0),
        ({"retry_most_s": 3.0}, 9, 3.0),
    ],
)
async def test_pauses_are_the_functions_own(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, float], attempt: int, most: float
) -> None:
    monkeypatch.setattr("services.executor.postponing.random.random", lambda: 1.0)
    links, mode = Links(), Mode()
    mode.result = failure("SandboxError", "no")
    repeats = Repeats(Backoff(first_s=2.0, most_s=6.0, most_asked_s=60.0), most_cut=3)
    await made(links, mode, repeats=repeats).handle(delivery(retries=ALWAYS, attempt=attempt, **fields))
    pause_s = links.postponed[0][1] - links.retries[0].timeline.done
    assert most <= pause_s < most + 0.5


# Expiry


async def test_what_is_late_is_not_started() -> None:
    links, mode = Links(), Mode()
    late = delivery(expires_at=31.0, callback_url="https://a.example")
    assert await made(links, mode).handle(late) == DONE
    (end,) = links.ends
    assert end.outcome.message == "Expired: The invocation was not started within 30 seconds"
    assert (end.outcome.status, end.callback_url, end.timeline.started) == ("EXPIRED", "https://a.example", 0.0)
    assert (mode.calls, links.answers) == ([], [end.outcome])


@pytest.mark.parametrize(
    ("after_s", "told"),
    [(0.000999927520751953, "0.001"), (0.00001, "0.001"), (0.5000002384185791, "0.5"), (2_592_000.0, "2592000")],
)
def test_how_long_it_had_is_told_to_the_millisecond(after_s: float, told: str) -> None:
    assert expired(after_s).message == f"Expired: The invocation was not started within {told} seconds"


async def test_what_was_put_aside_for_too_long_has_not_been_started() -> None:
    links, mode = Links(), Mode()
    assert await made(links, mode).handle(delivery(expires_at=31.0, put_aside_at=20.0, repeated=True)) == DONE
    assert (links.ends[0].outcome.status, mode.calls) == ("EXPIRED", [])


async def test_what_was_started_in_time_goes_on() -> None:
    links, mode = Links(), Mode()
    assert await made(links, mode).handle(delivery(expires_at=31.0, attempt=2, repeated=True)) == DONE
    links.running = Lost("e-0", 20.0)
    assert await made(links, mode).handle(delivery(expires_at=31.0, task_id="t-2", count=2)) == DONE
    assert [end.outcome.status for end in links.ends] == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize("repeated", [False, True])
async def test_what_one_that_died_had_started_in_time_has_not_expired(repeated: bool) -> None:
    """A short run that was not announced: only what was written down before it tells of it."""
    links, mode = Links(), Mode()
    links.marks = [Last(Begun(task_id="t-1", executor="e-0", sequence=1, attempt=1, runs=1, at=30.0), 1)]
    count = 1 if repeated else 2
    assert await made(links, mode).handle(delivery(expires_at=31.0, count=count, repeated=repeated)) == DONE
    assert [end.outcome for end in links.ends] == [SUCCESS]


async def test_what_is_not_late_is_started() -> None:
    links, mode = Links(), Mode()
    assert await made(links, mode).handle(delivery(expires_at=time.time() + 60)) == DONE
    assert links.ends[0].outcome == SUCCESS


# At most once


async def test_a_run_that_may_be_the_only_one_is_written_down_before_it_begins() -> None:
    links, mode = Links(), Mode()
    mode.result = OSError("this process dies here")
    with pytest.raises(OSError, match="dies"):
        await made(links, mode).handle(delivery(at_most_once=True))
    (mark,) = links.marks
    assert (mark.body.executor, mark.body.runs, mark.body.open) == ("e-1", 1, True)
    assert await made(links, mode).handle(delivery(count=2, at_most_once=True)) == DONE
    assert links.ends[0].outcome.error_type == "AttemptLost"
    assert links.ends[0].timeline.started == 0.0
    assert len(mode.calls) == 1
    assert [cut.timeline.started for cut in links.cuts] == [mark.body.at]


async def test_others_are_not_written_down() -> None:
    links, mode = Links(), Mode()
    await made(links, mode).handle(delivery())
    assert links.marks == []


async def test_what_is_handed_back_before_it_begins_may_begin_elsewhere() -> None:
    links, mode = Links(), Mode()
    mode.result = Unavailable("no worker")
    assert isinstance(await made(links, mode).handle(delivery(at_most_once=True)), Later)
    mode.result = SUCCESS
    assert await made(links, mode).handle(delivery(count=2, at_most_once=True)) == DONE
    assert [end.outcome for end in links.ends] == [SUCCESS]


async def test_who_does_not_know_whether_it_is_written_down_has_not_begun() -> None:
    links, mode = Links(), Mode()
    execution = made(links, mode)
    links.lost_answers = [Problem("unavailable", "away")]
    with pytest.raises(Problem):
        await execution.handle(delivery(at_most_once=True))
    assert (len(links.marks), mode.calls) == (1, [])
    assert await execution.handle(delivery(count=2, at_most_once=True)) == DONE
    assert [end.outcome for end in links.ends] == [SUCCESS]
    other = made(links, mode)
    assert await other.handle(delivery(count=3, at_most_once=True)) == DONE
    assert links.ends[-1].outcome.error_type == "AttemptLost"


async def test_of_two_pieces_of_work_for_one_task_one_is_done() -> None:
    links, mode = Links(), Mode()
    links.marks = [Last(Begun(task_id="t-1", executor="e-0", sequence=77, attempt=1, runs=1, at=1.0), 1)]
    links.work = {77}
    assert await made(links, mode).handle(delivery(at_most_once=True, repeated=True)) == DONE
    assert (links.ends, mode.calls) == ([], [])
    links.work = set()
    assert await made(links, mode).handle(delivery(at_most_once=True, repeated=True)) == DONE
    assert links.ends[0].outcome.error_type == "AttemptLost"


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_an_attempt_that_was_stored_twice_is_made_once(attempt: int) -> None:
    """The other one has been made, and the record does not have its end yet."""
    links, mode = Links(), Mode()
    links.marks = [Last(Begun(task_id="t-1", executor="e-0", sequence=1, attempt=1, runs=1, at=1.0), 1)]
    if attempt == 1:
        links.marks = []
    again = delivery(attempt=attempt, repeated=True)
    assert await made(links, mode).handle(again) == DONE
    links.is_told = True
    other = Delivery(body=again.body, sequence=99, count=1)
    assert await made(links, mode).handle(other) == DONE
    assert (len(mode.calls), len(links.ends), links.cuts) == (1, 1, [])


async def test_one_that_told_of_the_end_and_died_is_not_followed_by_a_second_run() -> None:
    links, mode = Links(), Mode()
    links.is_told = True
    assert await made(links, mode).handle(delivery(count=2)) == DONE
    assert (mode.calls, links.ends) == ([], [])


# Cut runs


async def test_a_run_that_is_known_to_be_cut_is_told_of() -> None:
    links, mode = Links(), Mode()
    links.running = Lost("e-0", 20.0)
    assert await made(links, mode).handle(delivery(count=2)) == DONE
    (cut,) = links.cuts
    assert (cut.executor, cut.attempt, cut.timeline.started) == ("e-0", 1, 20.0)
    assert links.ends[0].delivery == 2
    assert links.marks[0].body.runs == 1


async def test_what_kills_its_executor_each_time_ends() -> None:
    links, mode = Links(), Mode()
    mode.result = OSError("this process dies here")
    for count in range(1, 5):
        with pytest.raises(OSError, match="dies"):
            await made(links, mode).handle(delivery(count=count))
    assert [mark.body.runs for mark in links.marks] == [1, 2, 3]
    assert await made(links, mode).handle(delivery(count=5)) == DONE
    assert (links.ends[0].outcome.error_type, len(mode.calls)) == ("Undeliverable", 4)
    assert len({cut.timeline.started for cut in links.cuts}) == 3


async def test_to_be_handed_back_often_is_no_harm() -> None:
    links, mode = Links(), Mode()
    execution = made(links, mode)
    mode.result = Unavailable("no worker")
    for count in range(1, 50):
        assert isinstance(await execution.handle(delivery(count=count)), Later)
    mode.result = SUCCESS
    assert await made(links, mode).handle(delivery(count=50)) == DONE
    assert [end.outcome for end in links.ends] == [SUCCESS]


async def test_to_be_handed_back_is_not_to_be_cut_though_it_was_said_to_run() -> None:
    links, mode = Links(), Mode()
    mode.result = Unavailable("no worker in time")
    assert isinstance(await made(links, mode, notice_s=0.0).handle(delivery()), Later)
    links.running = Lost("e-1", links.marks[0].body.at - 1)
    mode.result = SUCCESS
    assert await made(links, mode).handle(delivery(count=2)) == DONE
    assert (links.ends[0].outcome, links.cuts) == (SUCCESS, [])


async def test_another_attempt_is_counted_anew() -> None:
    links, mode = Links(), Mode()
    links.marks = [Last(Begun(task_id="t-1", executor="e-0", sequence=1, attempt=1, runs=3, at=1.0), 1)]
    assert await made(links, mode).handle(delivery(count=2, attempt=2)) == DONE
    assert (links.ends[0].outcome, links.cuts) == (SUCCESS, [])
    assert links.marks[-1].body.runs == 1
