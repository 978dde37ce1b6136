"""What has to be known of runs before another one begins: none may begin that has been cut too often, or at all.

A run that is not the first one of its work, or may be of work that is there twice, or is the only one that there may
be, is written down before it begins. So whoever is handed the work afterwards knows of it, though its executor is gone.
"""

import time

import msgspec

from services.executor import events
from services.executor.links import Links, Lost, Past
from shared.bus.delivery import DONE, Delivery, Done, Last
from shared.bus.messages import Begun, Dispatch
from shared.domain.outcome import Outcome, expired, failure
from shared.domain.problem import Problem

_NOTHING = Past(over=False)
_SECOND = 2
_MOST_DOUBTFUL = 10_000
_TRIES = 3  # each is lost only to another executor that has the same task

ATTEMPT_LOST = "The executor that ran it is gone: nobody knows whether it ran to its end, and it may not run twice"


def late(dispatch: Dispatch) -> Outcome | None:
    """The end of what was not started in time. A later attempt is of what was."""
    if not dispatch.expires_at or dispatch.attempt > 1 or time.time() < dispatch.expires_at:
        return None
    return _expired(dispatch)


def _expired(dispatch: Dispatch) -> Outcome:
    return expired(dispatch.expires_at - dispatch.timeline.accepted)


def _is_written_down(delivery: Delivery[Dispatch]) -> bool:
    """Whether its run is. A timer that is set or goes off while the bus chooses a server may leave two messages."""
    dispatch = delivery.body
    return delivery.count > 1 or dispatch.repeated or dispatch.at_most_once or _is_watched(dispatch)


def _is_watched(dispatch: Dispatch) -> bool:
    """Whether somebody ends it if it is not started in time, and has to know that it was."""
    return bool(dispatch.expires_at) and dispatch.attempt == 1


def _lost(delivery: Delivery[Dispatch], past: Past, found: Last[Begun] | None) -> Lost | None:
    """The run that is on record as running though its work was handed out again; unless more is written down since."""
    if past.running is None or delivery.count == 1:
        return None
    if found is None or found.body.attempt < delivery.body.attempt or found.body.at < past.running.started_at:
        return past.running
    return None


class Starting:
    """Lets runs begin. `most_cut` of one attempt may be cut."""

    def __init__(self, links: Links, *, executor: str, most_cut: int) -> None:
        self._links = links
        self._executor = executor
        self._most_cut = most_cut
        self._marks: dict[str, tuple[int, Begun]] = {}  # by task: what is written down, and at which sequence
        self._doubtful: dict[str, None] = {}  # tasks with a mark of ours that may stand, though nothing has begun

    async def past(self, delivery: Delivery[Dispatch]) -> Past:
        """What is on record of it. With the store away it is run again, and the second end is dropped."""
        dispatch = delivery.body
        if delivery.count == 1 and not dispatch.repeated:
            return _NOTHING
        try:
            return await self._links.past(dispatch)
        except Problem:
            return _NOTHING

    async def is_over(self, dispatch: Dispatch) -> bool:
        """Whether its end is on record, or that of this attempt; with the store away it is not known to be."""
        try:
            return (await self._links.past(dispatch)).over
        except Problem:
            return False

    async def begin(self, delivery: Delivery[Dispatch], past: Past) -> Outcome | Done | None:
        """Nothing where it may begin, and else how it ends; DONE where another piece of work is the same task's.

        Raises Problem(unavailable): then it has not begun.
        """
        dispatch = delivery.body
        if not _is_written_down(delivery):
            return None
        # Its executor may have died after it had told of the end, which the record need not have yet.
        if delivery.count > 1 and await self._links.told(dispatch):
            return DONE
        # A second run has none before it as a rule, which the bus says when it is written down.
        looks = (
            delivery.count > _SECOND
            or dispatch.attempt > _SECOND
            or (delivery.count > 1 and past.running is not None)
            or late(dispatch) is not None  # or it was started in time, by one that has died since
        )
        found = await self._links.begun(dispatch) if looks else None
        lost = _lost(delivery, past, found)
        if lost is not None:
            await self._cut(dispatch, lost)
        for _ in range(_TRIES):
            if found is not None and not found.body.executor:  # nobody had started it in time: so it was ended
                return _expired(dispatch)
            runs = await self._runs(delivery, found, told=lost is not None)
            if not isinstance(runs, int):
                return runs
            if not runs and lost is None and (ended := late(dispatch)) is not None:
                return ended
            if await self._written(delivery, found, runs + 1):
                return None
            found = await self._links.begun(dispatch)
        raise Problem("unavailable", "Others are at the same task")

    async def undone(self, delivery: Delivery[Dispatch], *, announced: bool) -> None:
        """Nothing of it has begun after all: it is handed back, though others may have been told that it runs."""
        written = self._marks.pop(delivery.body.task_id, None)
        if written is None and not announced:
            return
        last, mark = written or (None, self._mark(delivery, 1))
        handed_back = msgspec.structs.replace(mark, runs=mark.runs - 1, at=time.time(), open=False)
        try:
            if last is None:
                found = await self._links.begun(delivery.body)
                last = found.sequence if found else 0
            await self._links.begin(delivery.body, handed_back, last=last)
        except Problem:
            self._doubt(mark.task_id)

    def ended(self, delivery: Delivery[Dispatch]) -> None:
        """What was known of it here is not needed any more."""
        self._marks.pop(delivery.body.task_id, None)

    async def _runs(
        self, delivery: Delivery[Dispatch], found: Last[Begun] | None, *, told: bool
    ) -> int | Outcome | Done:
        """How many runs of this attempt were cut, as far as they were written down; or how it ends.

        What is found is told of, unless that was `told`.
        """
        dispatch = delivery.body
        if found is None or found.body.attempt < dispatch.attempt:
            return 0
        mark = found.body
        if not mark.open:
            return mark.runs
        if mark.executor == self._executor and mark.task_id in self._doubtful:
            return mark.runs - 1
        if mark.sequence != delivery.sequence and await self._links.queued(mark.sequence):
            return DONE  # that one is run by somebody, or handed out again
        if await self._links.told(dispatch):
            return DONE  # this attempt was stored twice, and the other one has been run
        if not told:
            await self._cut(dispatch, Lost(mark.executor, mark.at))
        if dispatch.at_most_once:
            return failure("AttemptLost", ATTEMPT_LOST)
        if mark.runs >= self._most_cut:
            times = f"its executor died {mark.runs} times while it ran this"
            return failure("Undeliverable", f"{times}, or more often: it is not run again")
        return mark.runs

    async def _written(self, delivery: Delivery[Dispatch], found: Last[Begun] | None, runs: int) -> bool:
        """Whether this run is written down; False where another one was meanwhile."""
        dispatch = delivery.body
        mark = self._mark(delivery, runs)
        try:
            sequence = await self._links.begin(dispatch, mark, last=found.sequence if found else 0)
        except Problem as problem:
            if problem.code == "conflict":
                return False
            self._doubt(dispatch.task_id)  # it may stand: the answer was lost
            raise
        self._doubtful.pop(dispatch.task_id, None)
        self._marks[dispatch.task_id] = sequence, mark
        return True

    def _mark(self, delivery: Delivery[Dispatch], runs: int) -> Begun:
        return Begun(
            task_id=delivery.body.task_id,
            executor=self._executor,
            sequence=delivery.sequence,
            attempt=delivery.body.attempt,
            runs=runs,
            at=time.time(),
        )

    def _doubt(self, task_id: str) -> None:
        self._doubtful[task_id] = None
        if len(self._doubtful) > _MOST_DOUBTFUL:  # they came back to other executors
            del self._doubtful[next(iter(self._doubtful))]

    async def _cut(self, dispatch: Dispatch, lost: Lost) -> None:
        await self._links.cut(events.cut(dispatch, lost, found_at=time.time()))
