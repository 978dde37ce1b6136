"""Callers who wait for an outcome: one subscription for all of them, one future for each.

An answer is not stored on its way: it is lost when the connection breaks in that moment. So the record is asked, too,
now and then and after every return of the bus. Who waits for a call that somebody else has made may have nothing but
the record, and asks it sooner.

Who hears that an invocation is to be cancelled is in doubt: its end may be another one than its executor tells. Then
the first answer is kept, and given when it is known to be that of the end that is on disk.

An answer that is made while it is sent comes in parts before its outcome, to those who take them: each is a request,
answered when the part was handed on, so that its sender is as fast as its taker.
"""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Answer, Part, Taken
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.parts import Parts
from shared.store.client import Store
from shared.store.invocations import Invocations

_LOOK_S = 1.0  # how often the record is asked, and how old a wait is to be worth it
_SOON_S = 0.05  # the first time for a call of somebody else's, and then after as long as it has been waited for
_RAN = frozenset({"SUCCESS", "FAILURE"})
_LOOKED_FOR = 200  # of so many waits at a time, those first whose last look was longest ago
_decode = msgspec.json.Decoder(Answer).decode
_decode_part = msgspec.json.Decoder(Part).decode
_UNWANTED = Taken(wanted=False)


class Wait:
    """One caller's wait: it ends with the answer, when its time is up, or when it is given up.

    With `again`, the call may be somebody else's.
    """

    def __init__(
        self,
        task_id: str,
        leave: "Callable[[Wait], None]",
        *,
        tenant: str,
        within_s: float,
        parts: Parts | None,
        again: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.task_id = task_id
        self.tenant = tenant
        self.began = self.looked_at = loop.time()
        self.parts = parts
        self.again = again
        self._in_doubt = False
        self._kept: Outcome | None = None  # what came while it was
        self._leave = leave
        self._answer: asyncio.Future[bytes | Outcome | None] = loop.create_future()
        self._timer = loop.call_later(within_s, self.give_up)

    def is_due(self, now: float) -> bool:
        """Whether the record is to be asked."""
        pause_s = min(max(_SOON_S, self.looked_at - self.began), _LOOK_S) if self.again else _LOOK_S
        return self.looked_at + pause_s <= now

    def take_whole(self) -> None:
        """Take no parts: they are somebody else's."""
        if self.parts is not None:
            self.parts.end(lost=True)
            self.parts = None

    def answered(self, data: bytes) -> None:
        """End it with an answer as it came; one that is in doubt, when that is the end that counts."""
        if not self._in_doubt:
            self._end(data)
            return
        answer = _decode(data)
        if answer.settled:
            self.settled(answer.outcome, whole=False)
        elif self._kept is None:
            self._kept = answer.outcome

    def settled(self, outcome: Outcome, *, whole: bool = True) -> None:
        """The end that counts. What came before is the same and more, if it is the same.

        What is not `whole` is for those who cannot have more: of what has run, the executor's own answer is on its way.
        """
        if self._kept is not None and self._kept.status == outcome.status:
            outcome = self._kept
        elif not whole and outcome.status in _RAN:
            self._in_doubt = False
            return
        self._end(outcome)

    def doubt(self) -> None:
        """It may be cancelled: believe no answer until its end is on disk."""
        self._in_doubt = True

    def give_up(self) -> None:
        """End it without an answer. Harmless when it has ended."""
        self._end(None)

    async def part(self) -> Part | None:
        """The next part of an answer that comes in parts; None when there is no other: then `outcome` says why.

        To ask for the next one says that the former was handed on: only then is its sender told to go on.
        """
        return None if self.parts is None else await self.parts.take()

    async def outcome(self) -> Outcome | None:
        """How the invocation ended; None when the wait ended first."""
        try:
            answer = await self._answer
        finally:
            self.give_up()
        return _decode(answer).outcome if isinstance(answer, bytes) else answer

    def _end(self, answer: bytes | Outcome | None) -> None:
        self._timer.cancel()
        self._leave(self)
        if not self._answer.done():
            self._answer.set_result(answer)
            if self.parts is not None:
                self.parts.end(lost=answer is None)


class Waiting:
    """All waits of this process."""

    def __init__(self, bus: Bus, store: Store, *, instance: str, most: int) -> None:
        self._bus = bus
        self._store = store
        self._instance = instance
        self._most = most
        self._waits: dict[str, Wait] = {}
        self._beside: dict[str, set[Wait]] = {}  # those that wait for a task for which another one waits, or has waited
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._responding: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waits) + sum(map(len, self._beside.values()))

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._waits or task_id in self._beside

    async def open(self) -> None:
        """Listen for answers."""
        await self._bus.hear(subjects.CANCELS, self._cancelling)
        await self._bus.hear(self.subject("*"), self._heard)
        await self._bus.hear_requests(subjects.parts(self._instance, "*"), self._offered)
        self._bus.on_return(self._returned)

    def subject(self, task_id: str) -> str:
        """Where the answer to this task is to be sent."""
        return subjects.reply(self._instance, task_id)

    def is_here(self, subject: str) -> bool:
        """Whether answers on this subject are for this process."""
        return subject == self.subject(subject.rpartition(".")[2])

    def told(self, answer: Answer) -> None:
        """Take an answer that this process has for itself, of an end that is on disk.

        Many large ones at once would be more than the bus holds back for one connection, which it then closes.
        """
        for wait in self._of(answer.task_id):
            wait.settled(answer.outcome)

    def enter(self, task_id: str, *, tenant: str, within_s: float, streams: bool = False, again: bool = False) -> Wait:
        """Begin to wait, before the command is sent. Raises Problem(unavailable) when too many wait already.

        Who `streams` takes every `Wait.part` before the outcome. With `again` others may wait for the task, here or
        elsewhere: the answer may go to them alone.
        """
        if len(self) >= self._most:
            raise Problem("unavailable", f"{self._most} callers wait for results already; try again in a moment")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SOON_S if again else _LOOK_S, self._look)
        elif again:
            self._hasten()
        parts = Parts(self._respond) if streams else None
        wait = Wait(task_id, self._left, tenant=tenant, within_s=within_s, parts=parts, again=again)
        if again and task_id in self._waits:
            self._beside.setdefault(task_id, set()).add(wait)
        else:
            self._waits[task_id] = wait
        return wait

    def give_up(self) -> None:
        """End every wait."""
        for wait in self._all():
            wait.give_up()

    def _all(self) -> list[Wait]:
        beside = [wait for waits in self._beside.values() for wait in waits] if self._beside else []
        return [*self._waits.values(), *beside]

    def _of(self, task_id: str) -> list[Wait]:
        """Who waits for this task."""
        wait = self._waits.get(task_id)
        first = [] if wait is None else [wait]
        return [*first, *self._beside.get(task_id, ())] if self._beside else first

    def _left(self, wait: Wait) -> None:
        """One has ended; those beside it wait on."""
        if self._waits.get(wait.task_id) is wait:
            del self._waits[wait.task_id]
        elif (beside := self._beside.get(wait.task_id)) is not None:
            beside.discard(wait)
            if not beside:
                del self._beside[wait.task_id]

    def _heard(self, data: bytes, subject: str) -> None:
        for wait in self._of(subject.rpartition(".")[2]):
            wait.answered(data)

    def _cancelling(self, _data: bytes, subject: str) -> None:
        tenant, task_id = subjects.cancelled_task(subject)
        for wait in self._of(task_id):
            if wait.tenant == tenant:
                wait.doubt()

    def _offered(self, data: bytes, subject: str, reply_to: str) -> None:
        wait = self._waits.get(subject.rpartition(".")[2])
        if wait is None or wait.parts is None:
            self._respond(reply_to, _UNWANTED)
        else:
            wait.parts.offered(_decode_part(data), reply_to)

    def _respond(self, reply_to: str, taken: Taken) -> None:
        """What is lost on its way is asked for again."""
        responding = asyncio.create_task(self._bus.send(reply_to, taken))
        self._responding.add(responding)
        responding.add_done_callback(self._responding.discard)

    def _returned(self) -> None:
        """Answers may have been lost: the next look is for all who wait, however briefly."""
        for wait in self._all():
            wait.looked_at = 0.0

    def _hasten(self) -> None:
        """Look soon. A look that is under way is followed by another one in time."""
        loop, under_way = asyncio.get_running_loop(), self._looking is not None and not self._looking.done()
        if self._timer is not None and not under_way and self._timer.when() > loop.time() + _SOON_S:
            self._timer.cancel()
            self._timer = loop.call_later(_SOON_S, self._look)

    def _look(self) -> None:
        """Begin a look for those who have waited for long enough; the next one comes when it is over."""
        now = asyncio.get_running_loop().time()
        due = (wait for wait in self._all() if wait.is_due(now))
        self._looking = asyncio.create_task(self._ask(heapq.nsmallest(_LOOKED_FOR, due, key=lambda w: w.looked_at)))

    async def _ask(self, waits: Iterable[Wait]) -> None:
        loop = asyncio.get_running_loop()
        tasks: defaultdict[str, set[str]] = defaultdict(set)
        for wait in waits:
            wait.looked_at = loop.time()
            tasks[wait.tenant].add(wait.task_id)
        try:
            for tenant, task_ids in tasks.items():
                await self._end_those_on_record(Invocations(self._store, tenant), list(task_ids))
        except Problem:
            pass  # the store is away: the next look may find it
        finally:
            left = self._all()
            pause_s = _SOON_S if any(wait.again for wait in left) else _LOOK_S
            self._timer = loop.call_later(pause_s, self._look) if left else None

    async def _end_those_on_record(self, record: Invocations, task_ids: list[str]) -> None:
        for task_id in await record.ended(task_ids):
            outcome = await record.outcome(task_id)
            if outcome is not None:
                for wait in self._of(task_id):
                    wait.settled(outcome)
