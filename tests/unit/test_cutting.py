"""Cutting what runs in an executor: it gives back what it has, once, and ends as cancelled; its end is not cut."""

import asyncio
from collections.abc import Callable

from services.executor.cancelling import Cancellable, Cuts
from shared.bus.delivery import DONE
from shared.bus.messages import Finished
from shared.domain.outcome import Outcome
from tests.unit.test_execution import SUCCESS, Links, Mode, delivery, made

BY = "ann"


class Cancels:
    """What is cancelled, as the test says."""

    def __init__(self) -> None:
        self.tasks: set[str] = set()
        self.heard: Callable[[str, str], None] = lambda tenant, task_id: None

    def __contains__(self, task_id: str) -> bool:
        return task_id in self.tasks

    def on_cancel(self, heard: Callable[[str, str], None]) -> None:
        self.heard = heard

    async def by(self, tenant: str, task_id: str) -> str:
        return BY

    def cancel(self, task_id: str, *, tenant: str = "acme") -> None:
        self.tasks.add(task_id)
        self.heard(tenant, task_id)


class Telling(Links):
    """Whose report may be held up."""

    cuts: Cuts
    reporting = asyncio.Event()
    go_on = asyncio.Event()

    async def report(self, finished: Finished, *, reply_to: str, told: Outcome) -> None:
        self.cuts.settling(finished.task_id)
        self.reporting.set()
        await self.go_on.wait()
        await super().report(finished, reply_to=reply_to, told=told)


def opened(mode: Mode) -> tuple[Cancellable, Cancels, Telling]:
    cancels, links = Cancels(), Telling()
    links.reporting, links.go_on = asyncio.Event(), asyncio.Event()
    links.go_on.set()
    links.cuts = Cuts(cancels)  # type: ignore[arg-type]  # as much of it as is used
    return Cancellable(made(links, mode, slot_wait_s=10.0), links.cuts), cancels, links


async def test_what_is_cancelled_is_not_begun():
    mode = Mode()
    cancellable, cancels, links = opened(mode)
    cancels.cancel("t-1")
    assert await cancellable.handle(delivery()) == DONE
    assert mode.calls == []
    assert [end.outcome.error for end in links.ends] == [f"The invocation was cancelled by {BY}"]
    assert [answer.status for answer in links.answers] == ["CANCELLED"]


async def test_what_was_cancelled_long_ago_is_not_ended_again():
    """The bus knows an end by its id for a while only."""
    cancellable, cancels, links = opened(Mode())
    cancels.cancel("t-1")
    links.ended = True
    assert await cancellable.handle(delivery()) == DONE
    assert (links.ends, links.answers) == ([], [])


async def test_what_runs_is_cut_and_its_slot_is_free_once():
    mode = Mode(slots=1)
    mode.hold = asyncio.Event()
    cancellable, cancels, links = opened(mode)
    running = asyncio.create_task(cancellable.handle(delivery()))
    await mode.begun.wait()
    waiting = asyncio.create_task(cancellable.handle(delivery(task_id="t-2")))
    third = asyncio.create_task(cancellable.handle(delivery(task_id="t-3")))
    await asyncio.sleep(0)
    cancels.cancel("t-1", tenant="elsewhere")
    await asyncio.sleep(0)
    assert not running.done()
    mode.begun.clear()
    cancels.cancel("t-1")
    assert await running == DONE
    await mode.begun.wait()  # the second has the slot; the third waits for it, and is cancelled there
    cancels.cancel("t-3")
    assert await third == DONE
    mode.hold.set()
    assert await waiting == DONE
    assert [(end.task_id, end.outcome.status) for end in links.ends] == [
        ("t-1", "CANCELLED"),
        ("t-3", "CANCELLED"),
        ("t-2", "SUCCESS"),
    ]
    assert [call.task_id for call in mode.calls] == ["t-1", "t-2"]
    assert len(links.cuts) == 0


async def test_an_end_that_is_being_told_is_told():
    mode = Mode()
    cancellable, cancels, links = opened(mode)
    links.go_on.clear()
    running = asyncio.create_task(cancellable.handle(delivery()))
    await links.reporting.wait()
    cancels.cancel("t-1")
    links.go_on.set()
    assert await running == DONE
    assert [end.outcome for end in links.ends] == [SUCCESS]


async def test_a_service_that_stops_hands_back_what_it_cuts():
    mode = Mode()
    mode.hold = asyncio.Event()
    cancellable, _, links = opened(mode)
    running = asyncio.create_task(cancellable.handle(delivery()))
    await mode.begun.wait()
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert links.ends == []


async def test_who_was_cut_can_still_wait_with_a_bound():
    """A cancellation that is done with must not be taken for another one."""
    mode = Mode()
    mode.hold = asyncio.Event()
    cancellable, cancels, _ = opened(mode)

    async def handled() -> int:
        await cancellable.handle(delivery())
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(1)
        except TimeoutError:
            pass
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    running = asyncio.create_task(handled())
    await mode.begun.wait()
    cancels.cancel("t-1")
    assert await running == 0
