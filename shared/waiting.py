"""Callers who wait for an outcome: one subscription for all of them, one future for each.

An answer is not stored on its way: it is lost when the connection breaks in that moment. So the record is asked, too,
now and then and after every return of the bus.

Who hears that an invocation is to be cancelled is in doubt: its end may be another one than its executor tells. Then
the first answer is kept, and given when it is known to be that of the end that is on disk.

An answer that is made while it is sent comes in parts before its outcome, to those who take them: each is a request,
answered when the part was handed on, so that its sender is as fast as its taker.
"""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Iterable

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
_RAN = frozenset({"SUCCESS", "FAILURE"})
_LOOKED_FOR = 200  # of so many waits at a time, those first whose last look was longest ago
_decode = msgspec.json.Decoder(Answer).decode
_decode_part = msgspec.json.Decoder(Part).decode
_UNWANTED = Taken(wanted=False)


class Wait:
    """One caller's wait: it ends with the answer, when its time is up, or when it is given up."""

    def __init__(
        self, waits: "dict[str, Wait]", task_id: str, *, tenant: str, within_s: float, parts: Parts | None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.task_id = task_id
        self.tenant = tenant
        self.looked_at = loop.time()
        self.parts = parts
        self._in_doubt = False
        self._kept: Outcome | None = None  # what came while it was
        self._waits = waits
        self._answer: asyncio.Future[bytes | Outcome | None] = loop.create_future()
        self._timer = loop.call_later(within_s, self.give_up)
        waits[task_id] = self

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
        if self._waits.get(self.task_id) is self:
            del self._waits[self.task_id]
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
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._responding: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._waits)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._waits

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
        wait = self._waits.get(answer.task_id)
        if wait is not None:
            wait.settled(answer.outcome)

    def enter(self, task_id: str, *, tenant: str, within_s: float, streams: bool = False) -> Wait:
        """Begin to wait, before the command is sent. Raises Problem(unavailable) when too many wait already.

        Who `streams` takes every `Wait.part` before the outcome.
        """
        if len(self._waits) >= self._most:
            raise Problem("unavailable", f"{self._most} callers wait for results already; try again in a moment")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)
        parts = Parts(self._respond) if streams else None
        return Wait(self._waits, task_id, tenant=tenant, within_s=within_s, parts=parts)

    def give_up(self) -> None:
        """End every wait."""
        for wait in list(self._waits.values()):
            wait.give_up()

    def _heard(self, data: bytes, subject: str) -> None:
        wait = self._waits.get(subject.rpartition(".")[2])
        if wait is not None:
            wait.answered(data)

    def _cancelling(self, _data: bytes, subject: str) -> None:
        tenant, task_id = subjects.cancelled_task(subject)
        wait = self._waits.get(task_id)
        if wait is not None and wait.tenant == tenant:
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
        for wait in self._waits.values():
            wait.looked_at = 0.0

    def _look(self) -> None:
        """Begin a look for those who have waited for long enough; the next one comes when it is over."""
        long_ago = asyncio.get_running_loop().time() - _LOOK_S
        old = (wait for wait in self._waits.values() if wait.looked_at <= long_ago)
        self._looking = asyncio.create_task(self._ask(heapq.nsmallest(_LOOKED_FOR, old, key=lambda w: w.looked_at)))

    async def _ask(self, waits: Iterable[Wait]) -> None:
        loop = asyncio.get_running_loop()
        tasks: defaultdict[str, list[str]] = defaultdict(list)
        for wait in waits:
            wait.looked_at = loop.time()
            tasks[wait.tenant].append(wait.task_id)
        try:
            for tenant, task_ids in tasks.items():
                await self._end_those_on_record(Invocations(self._store, tenant), task_ids)
        except Problem:
            pass  # the store is away: the next look may find it
        finally:
            self._timer = loop.call_later(_LOOK_S, self._look) if self._waits else None

    async def _end_those_on_record(self, record: Invocations, task_ids: list[str]) -> None:
        for task_id in await record.ended(task_ids):
            outcome, wait = await record.outcome(task_id), self._waits.get(task_id)
            if outcome is not None and wait is not None:
                wait.settled(outcome)
