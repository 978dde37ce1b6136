"""An executor's part in an invocation, with its ports played by the test."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.executor import postponing
from services.executor.execution import Execution, Repeats
from services.executor.links import Aside, Loaded, Lost, Past
from services.executor.mode import Again, Artefact, Call, Crowded, Refusal, Unavailable
from shared.bus.delivery import DONE, Delivery, Last, Later
from shared.bus.graveyard import DeadLetter
from shared.bus.messages import Begun, Cut, Dispatch, Finished, Retrying, Started
from shared.domain.function import Function
from shared.domain.invocation import End, Timeline
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Kept, Request, Response
from shared.domain.retry import Backoff, Retries
from shared.domain.version import CompileError
from tests.limits import limits

DISPATCH = Dispatch(
    id=7,
    task_id="t-1",
    tenant="acme",
    function="f",
    function_id=3,
    function_name="F",
    category="",
    revision=1,
    version="1.0.0",
    code_hash="abc",
    limits=limits(timeout_s=5.0, result_bytes=20),
    params=msgspec.Raw(b'{"a":1}'),
    trigger_type="api",
    user=None,
    timeline=Timeline(accepted=1.0, routed=2.0),
    reply_to="reply.x.t-1",
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FUNCTION = Function(
    id=3, tenant="acme", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
    created_at=NOW, updated_at=NOW,
)  # fmt: skip
SUCCESS = Outcome(status="SUCCESS", result=msgspec.Raw(b"42"))


class Hosted:
    """What the platform is to a call, as far as an execution asks."""

    answering = False


class Links:
    """Remembers what it was told; each `troubles` entry is raised by one report."""

    def __init__(self) -> None:
        self.loaded: Loaded | Refusal = Loaded(FUNCTION, Artefact("c", b"code"))
        self.ended = False
        self.dead: Outcome | None = None
        self.letters: list[DeadLetter] = []
        self.stands: End | None = None  # the end that was stored before, if one was
        self.answers: list[Outcome] = []
        self.ends: list[Finished] = []
        self.starts: list[Started] = []
        self.postponed: list[tuple[Dispatch, float, str]] = []
        self.retries: list[Retrying] = []
        self.troubles: list[Problem] = []
        self.hosted = Hosted()
        self.running: Lost | None = None
        self.marks: list[Last[Begun]] = []
        self.lost_answers: list[Problem] = []
        self.work: set[int] = set()
        self.cuts: list[Cut] = []
        self.is_told = False
        self.announced = asyncio.Event()

    async def load(self, dispatch: Dispatch) -> Loaded | Refusal:
        assert (dispatch.tenant, dispatch.code_hash) == ("acme", "abc")
        return self.loaded

    def host(self, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> Hosted:
        self.aside = aside
        return self.hosted

    def live(self, dispatch: Dispatch, *, started: float) -> None:
        """Nobody follows."""

    def request(self, dispatch: Dispatch) -> Request | None:
        return dispatch.request

    async def past(self, dispatch: Dispatch) -> Past:
        return Past(self.ended, self.running)

    async def begun(self, dispatch: Dispatch) -> Last[Begun] | None:
        return self.marks[-1] if self.marks else None

    async def begin(self, dispatch: Dispatch, mark: Begun, *, last: int) -> int:
        if last != len(self.marks):
            raise Problem("conflict", "not the last")
        self.marks.append(Last(mark, len(self.marks) + 1))
        if self.lost_answers:
            raise self.lost_answers.pop()
        return len(self.marks)

    async def queued(self, sequence: int) -> bool:
        return sequence in self.work

    async def told(self, dispatch: Dispatch) -> bool:
        return self.is_told

    async def cut(self, event: Cut) -> None:
        self.cuts.append(event)

    async def died(self, dispatch: Dispatch) -> Outcome | None:
        return self.dead

    async def bury(self, letter: DeadLetter) -> int:
        self.letters.append(letter)
        return len(self.letters)

    async def unbury(self, number: int) -> None:
        del self.letters[number - 1]

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        self.starts.append(event)
        self.announced.set()

    async def postpone(self, dispatch: Dispatch, *, due_at: float, id: str) -> None:
        self.postponed.append((dispatch, due_at, id))

    async def retrying(self, event: Retrying) -> None:
        self.retries.append(event)

    async def report(self, finished: Finished, *, reply_to: str, told: Outcome) -> End:
        if self.troubles:
            raise self.troubles.pop(0)
        self.ends.append(finished)
        if reply_to:
            self.answers.append(told)
        return self.stands or finished.outcome.status


class Mode:
    """Runs what the test says."""

    name = "test"
    runs_code = True
    examines = False
    judges = False
    compiler = "c"

    def __init__(self, *, slots: int = 1, share: float = 1.0) -> None:
        self.slots = slots
        self.share = share
        self.calls: list[Call] = []
        self.result: Outcome | Again | Exception = SUCCESS
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def prepare(self, source: str) -> Artefact | Refusal:
        raise NotImplementedError

    async def run(self, call: Call) -> Outcome | Again:
        self.calls.append(call)
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def facts(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        return


AT_ONCE = Repeats(Backoff(first_s=0.0, most_s=0.0, most_asked_s=60.0), most_cut=3)


def made(links: Links, mode: Mode, **options: float) -> Execution:
    chosen: dict[str, Any] = {"notice_s": 10.0, "slot_wait_s": 0.05, "repeats": AT_ONCE, **options}
    return Execution(links, mode, executor="e-1", **chosen)


def delivery(count: int = 1, **changes: Any) -> Delivery[Dispatch]:
    return Delivery(msgspec.structs.replace(DISPATCH, **changes), 1, count)


async def test_the_caller_is_answered_and_the_end_reported() -> None:
    links, mode = Links(), Mode()
    assert await made(links, mode).handle(delivery()) == DONE
    (end,) = links.ends
    assert links.answers == [SUCCESS]
    assert (end.outcome, end.id, end.delivery, end.executor, end.version) == (SUCCESS, 7, 1, "e-1", "1.0.0")
    assert end.timeline.routed == 2.0 < end.timeline.picked <= end.timeline.started <= end.timeline.done
    (call,) = mode.calls
    assert (call.params, call.limits.timeout_s, call.limits.result_bytes) == (b'{"a":1}', 5.0, 20)


@pytest.mark.parametrize("again", [{"count": 2}, {"repeated": True}])
async def test_what_has_ended_is_not_run_again(again: dict[str, Any]) -> None:
    links, mode = Links(), Mode()
    links.ended = True
    assert await made(links, mode).handle(delivery(**again)) == DONE
    assert (mode.calls, links.ends) == ([], [])


async def test_a_first_delivery_does_not_ask_the_store() -> None:
    links, mode = Links(), Mode()
    links.ended = True
    await made(links, mode).handle(delivery())
    assert len(mode.calls) == 1


async def test_refused_code_ends_with_its_reasons() -> None:
    links, mode = Links(), Mode()
    links.loaded = Refusal([CompileError(3, "no"), CompileError(0, "never")])
    assert await made(links, mode).handle(delivery()) == DONE
    assert links.ends[0].outcome.message == "CodeRefused: line 3: no; never"
    assert mode.calls == []


async def test_a_mode_that_is_away_hands_the_work_back() -> None:
    links, mode = Links(), Mode()
    mode.result = Unavailable("no worker")
    verdict = await made(links, mode).handle(delivery())
    assert isinstance(verdict, Later)
    assert links.ends == []


async def test_who_finds_no_slot_in_time_is_handed_back() -> None:
    links, mode = Links(), Mode()
    mode.hold = asyncio.Event()
    execution = made(links, mode)
    first = asyncio.create_task(execution.handle(delivery()))
    await mode.begun.wait()
    second = await execution.handle(delivery(task_id="t-2"))
    assert second == Later(0.0)
    mode.hold.set()
    assert await first == DONE
    assert await execution.handle(delivery(task_id="t-3")) == DONE
    assert [end.task_id for end in links.ends] == ["t-1", "t-3"]


async def test_who_is_to_stop_ends_what_runs_and_hands_back_what_has_not_begun() -> None:
    links, mode = Links(), Mode(share=0.5)  # of the kind that is put aside else
    mode.hold = asyncio.Event()
    execution = made(links, mode, slot_wait_s=30.0)
    first = asyncio.create_task(execution.handle(delivery()))
    await mode.begun.wait()
    second = asyncio.create_task(execution.handle(delivery(task_id="t-2")))
    await asyncio.sleep(0)
    execution.stop()
    assert await asyncio.wait_for(second, 5) == Later(0.0)
    assert await execution.handle(delivery(task_id="t-3")) == Later(0.0)
    mode.hold.set()
    assert await first == DONE
    assert [end.task_id for end in links.ends] == ["t-1"]
    assert links.postponed == []


async def test_room_is_made_when_the_run_ends_not_when_it_is_settled() -> None:
    links, mode = Links(), Mode()
    released: list[int] = []
    body = Delivery(DISPATCH, 1, 1, lambda: released.append(len(links.ends)))
    await made(links, mode).handle(body)
    assert released == [0]


async def test_work_that_is_done_waits_for_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postponing, "_AGAIN_S", 0.01)
    links, mode = Links(), Mode()
    links.troubles = [Problem("unavailable", "away"), Problem("unavailable", "away")]
    assert await made(links, mode).handle(delivery()) == DONE
    assert len(mode.calls) == 1
    assert [end.outcome for end in links.ends] == [SUCCESS]


async def test_a_result_that_the_bus_cannot_carry_is_a_failure_of_the_function() -> None:
    links, mode = Links(), Mode()
    links.troubles = [Problem("too_large", "over the limit of 8 bytes")]
    assert await made(links, mode).handle(delivery()) == DONE
    assert links.ends[0].outcome.message == "ResultTooLarge: over the limit of 8 bytes"
    assert links.answers[-1] == links.ends[0].outcome


async def test_a_call_that_lasts_is_announced() -> None:
    links, mode = Links(), Mode()
    mode.hold = asyncio.Event()
    running = asyncio.create_task(made(links, mode, notice_s=0.01).handle(delivery()))
    await asyncio.wait_for(links.announced.wait(), timeout=5)
    mode.hold.set()
    await running
    assert links.starts[0].task_id == "t-1"
    assert links.starts[0].timeline.done == 0.0


async def test_what_cannot_be_handled_by_any_means_is_ended() -> None:
    links, mode = Links(), Mode()
    await made(links, mode).give_up(delivery(count=10), "failed 10 times")
    assert links.ends[0].outcome.message == "Undeliverable: failed 10 times"
    assert links.answers == [links.ends[0].outcome]


FAILED = Outcome(status="FAILURE", error_type="HTTPError", error="503")


async def test_another_attempt_is_put_off_and_said_before_the_delivery_is_done() -> None:
    links, mode = Links(), Mode()
    mode.result = Again(FAILED, asked_s=9.0)
    assert await made(links, mode).handle(delivery(retries=Retries(error=2))) == DONE
    (following, due_at, id), (event,) = links.postponed[0], links.retries
    assert (following.attempt, following.repeated, id) == (2, True, "t-1.2")
    assert (event.attempt, event.error, event.due_at) == (1, "HTTPError: 503", due_at)
    assert 8.9 < due_at - event.timeline.done < 9.1
    assert (links.answers, links.ends) == ([], [])


async def test_the_last_attempts_failure_is_the_end() -> None:
    links, mode = Links(), Mode()
    mode.result = Again(FAILED, asked_s=9.0)
    assert await made(links, mode).handle(delivery(retries=Retries(error=2), attempt=3, repeated=True)) == DONE
    assert (links.postponed, links.retries) == ([], [])
    assert (links.ends[0].outcome, links.ends[0].attempt) == (FAILED, 3)
    assert mode.calls[0].attempt == 3


async def test_what_exceeds_its_share_is_put_aside_on_the_bus() -> None:
    links, mode = Links(), Mode(slots=4, share=0.5)
    mode.hold = asyncio.Event()
    execution = made(links, mode)
    running = [asyncio.create_task(execution.handle(delivery(task_id=f"t-{n}"))) for n in range(2)]
    await mode.begun.wait()
    assert await execution.handle(delivery(task_id="t-9")) == DONE
    (following, _, id), *others = links.postponed
    assert (following.task_id, following.attempt, following.put_aside_at > 0, id) == ("t-9", 1, True, "t-9.1.1")
    assert others == []
    another = asyncio.create_task(execution.handle(delivery(task_id="t-10", function_id=4)))
    mode.hold.set()
    assert await asyncio.gather(*running, another) == [DONE] * 3
    assert len(links.ends) == 3


async def test_a_crowded_mode_puts_its_call_aside_and_in_the_end_gives_it_up() -> None:
    links, mode = Links(), Mode()
    mode.result = Crowded("endpoint in doubt")
    execution = made(links, mode)
    assert await execution.handle(delivery()) == DONE
    assert len(links.postponed) == 1
    assert await execution.handle(delivery(put_aside_at=1.0)) == DONE
    assert links.ends[0].outcome.error_type == "Undeliverable"


async def test_a_request_is_answered_whole_and_recorded_as_its_json() -> None:
    links, mode = Links(), Mode()
    mode.result = Outcome(status="SUCCESS", response=Response(status=201, headers=[("A", "b")], body=b"\xff\x00"))
    await made(links, mode).handle(delivery(request=Request(method="PUT")))
    (answer,), (end,) = links.answers, links.ends
    assert answer.response == Response(status=201, headers=[("A", "b")], body=b"\xff\x00")
    assert end.outcome.response == Response(status=201, kept=Kept(body="lost", trimmed=True))
    assert msgspec.json.decode(end.outcome.result) == "\ufffd\x00"


async def test_who_did_not_ask_by_http_is_told_the_result() -> None:
    links, mode = Links(), Mode()
    json = [("Content-Type", "application/json; charset=utf-8")]
    mode.result = Outcome(status="SUCCESS", response=Response(headers=json, body=b'{"a": 1}'))
    await made(links, mode).handle(delivery())
    assert bytes(links.answers[0].result) == b'{"a": 1}'


async def test_a_call_that_waits_for_another_one_holds_no_slot() -> None:
    links, mode = Links(), Mode()
    mode.hold = asyncio.Event()
    execution = made(links, mode)
    first = asyncio.create_task(execution.handle(delivery()))
    await mode.begun.wait()
    mode.begun.clear()
    async with links.aside():
        second = asyncio.create_task(execution.handle(delivery(task_id="t-2")))
        await mode.begun.wait()
    assert await execution.handle(delivery(task_id="t-3")) == Later(0.0)
    mode.hold.set()
    assert (await first, await second) == (DONE, DONE)
    assert await execution.handle(delivery(task_id="t-4")) == DONE
