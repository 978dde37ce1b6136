"""One invocation's life in an executor: load, claim, run, classify, settle, report.

Knows neither the bus nor the store: what it needs of them is `Links`.
"""

import asyncio
import time
from typing import NamedTuple

from services.executor import events, spans
from services.executor.held import Held
from services.executor.inflight import InFlight
from services.executor.judging import judged
from services.executor.links import Links, Loaded, Past
from services.executor.mode import Again, Crowded, Mode, Refusal, SecretUnreadableError, Unavailable
from services.executor.postponing import Postponing, until_done
from services.executor.slots import Slots
from services.executor.starting import Starting, late
from shared import telemetry, tracing
from shared.bus.delivery import DONE, Delivery, Done, Later, Verdict
from shared.bus.graveyard import letter_of, may_leave_letter
from shared.bus.messages import Dispatch
from shared.domain.dead_letter import is_dead
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.retry import Backoff
from shared.secrets import SealBrokenError

_UNAVAILABLE_S = 1.0  # before another try at what could not be done at all


class Repeats(NamedTuple):
    """How calls are made again: after which pauses, and how often one that was cut, as far as that is known."""

    backoff: Backoff
    most_cut: int


class _Ran(NamedTuple):
    """How a try ended. `answering`: somebody has a part of its answer, and could be given no other one."""

    end: Outcome | Again
    timeline: Timeline
    answering: bool = False


class Execution:
    """The executor's part in every invocation of one pool. At most `line` calls of a function wait for a slot here.

    `in_flight` counts the calls of a mode that has a worker process for each.
    """

    def __init__(
        self,
        links: Links,
        mode: Mode,
        *,
        executor: str,
        notice_s: float,
        slot_wait_s: float,
        repeats: Repeats,
        line: int = 1 << 30,
        in_flight: InFlight | None = None,
    ) -> None:
        self._links = links
        self._mode = mode
        self._executor = executor
        self._notice_s = notice_s
        self._slot_wait_s = slot_wait_s
        self._slots = Slots(mode.slots, share=mode.share, line=line)
        self._in_flight = in_flight
        self._postponing = Postponing(links, repeats.backoff)
        self._starting = Starting(links, executor=executor, most_cut=repeats.most_cut)
        self._stopping = False
        self._announcing: set[asyncio.Future[None]] = set()
        self._busy = telemetry.BUSY.labels(mode.name)
        telemetry.SLOTS.labels(mode.name).set(mode.slots)

    def stop(self) -> None:
        """Begin nothing more: what has not begun is handed back at once, for others to begin."""
        self._stopping = True
        self._slots.close()

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end. Acknowledged only after its end, or its next attempt, is on disk."""
        dispatch, picked = delivery.body, time.time()
        asker = events.asker(dispatch)
        past = await self._past(delivery)
        if past.over:
            return DONE
        # Whether what was handed out before was started in time is looked up before it would begin.
        if delivery.count == 1 and not dispatch.repeated and (ended := late(dispatch)) is not None:
            await self.end(delivery, ended)
            return DONE
        with tracing.span("load"):
            loaded = await self._links.load(dispatch)
        if isinstance(loaded, Refusal):
            reasons = "; ".join(str(error) for error in loaded.errors)
            return await self._unrun(delivery, failure("CodeRefused", reasons), picked)
        turned_away = await self._turned_away(delivery, loaded)
        if turned_away is not None:
            return turned_away
        held = Held(self._slots, asker, released=delivery.release)
        self._busy.inc()
        try:
            ran = await self._begun(delivery, loaded, held, past=past, picked=picked)
        except Crowded:
            ran = None
        except Unavailable:
            return Later(_UNAVAILABLE_S)
        finally:
            held.end()
            self._leave(dispatch)
            self._postponing.ended(asker)
            self._busy.dec()
            delivery.release()
        if ran is None:
            return await self._put_aside(delivery)
        return ran if isinstance(ran, Done) else await self._ended(delivery, ran)

    async def _turned_away(self, delivery: Delivery[Dispatch], loaded: Loaded) -> Verdict | None:
        """What becomes of one that has no place to run in; None where it has one, which it gives back in the end."""
        asker = events.asker(delivery.body)
        if await self._postponing.moved(delivery, loaded.function):
            return DONE
        with tracing.span("wait for a slot"):
            has_slot = await self._slots.take(asker, within_s=self._slot_wait_s)
        if not has_slot:
            at_once = self._stopping or self._mode.share == 1
            return Later(0.0) if at_once else await self._put_aside(delivery)
        if not self._enter(delivery.body):
            self._slots.give(asker)
            return await self._put_aside(delivery)
        return None

    async def give_up(self, delivery: Delivery[Dispatch], reason: str) -> None:
        """End an invocation that cannot be handled by any means, so that nobody waits for it."""
        await self.end(delivery, failure("Undeliverable", reason))

    async def end(self, delivery: Delivery[Dispatch], outcome: Outcome) -> None:
        """End an invocation without a run, unless it has ended: so long ago, maybe, that the bus takes another end."""
        if await self._starting.is_over(delivery.body):
            return
        now = time.time()
        await self._settle(delivery, outcome, events.timeline(delivery.body, picked=now, done=now))

    async def _past(self, delivery: Delivery[Dispatch]) -> Past:
        """What became of it before. Of one whose dead letter alone was told, the end is told now.

        It is not to be run again then, nor to end otherwise.
        """
        dispatch, past = delivery.body, await self._starting.past(delivery)
        if past.over or delivery.count == 1 or not may_leave_letter(dispatch):
            return past
        end = await self._links.died(dispatch)
        if end is None:
            return past
        await self._unrun(delivery, end, time.time())
        return Past(over=True)

    async def _unrun(self, delivery: Delivery[Dispatch], outcome: Outcome, picked: float) -> Verdict:
        """End what is not run."""
        await self._settle(delivery, outcome, events.timeline(delivery.body, picked=picked, done=time.time()))
        return DONE

    async def _ended(self, delivery: Delivery[Dispatch], ran: _Ran) -> Verdict:
        """A try is over: have the next one made, if it is worth one and one is left, or settle this end."""
        dispatch, end, timeline = delivery.body, ran.end, ran.timeline
        if timeline.started and not self._mode.judges:
            end = judged(dispatch, end, answering=ran.answering)
        if isinstance(end, Again) and await self._postponing.retry(dispatch, end, timeline):
            return DONE
        await self._settle(delivery, ran.end.outcome if isinstance(ran.end, Again) else ran.end, timeline)
        return DONE

    async def _put_aside(self, delivery: Delivery[Dispatch]) -> Verdict:
        if not await self._postponing.put_aside(delivery):
            await self.give_up(delivery, "there was no room for it for too long")
        return DONE

    async def _begun(
        self, delivery: Delivery[Dispatch], loaded: Loaded, held: Held, *, past: Past, picked: float
    ) -> _Ran | Done:
        """Begin it, unless it may not begin, and run it to the end of the try. Raises Unavailable, Crowded."""
        if not delivery.is_ours():
            raise Unavailable("it was held while its lease ran out")
        refused = await self._starting.begin(delivery, past)
        if isinstance(refused, Done):
            return refused
        if refused is not None:
            return _Ran(refused, events.timeline(delivery.body, picked=picked, done=time.time()))
        started = time.time()
        try:
            end, answering = await self._run(delivery, loaded, held, picked=picked, started=started)
        except Unavailable:
            await self._starting.undone(delivery, announced=time.time() - started >= self._notice_s)
            raise
        finally:
            self._starting.ended(delivery)
        timeline = events.timeline(delivery.body, picked=picked, started=started, done=time.time())
        return _Ran(end, timeline, answering)

    async def _run(
        self, delivery: Delivery[Dispatch], loaded: Loaded, held: Held, *, picked: float, started: float
    ) -> tuple[Outcome | Again, bool]:
        """How it ended, and whether somebody has a part of its answer."""
        dispatch = delivery.body
        try:
            request = self._links.request(dispatch)
        except SealBrokenError:
            broken = failure("SecretUnreadable", "the request's headers cannot be opened with the operator's key")
            return broken, False
        fresh = delivery.count == 1 and not dispatch.repeated
        notice = asyncio.get_running_loop().call_later(self._notice_s, self._announce, delivery, picked, started)
        live = self._links.live(dispatch, started=started)
        end: Outcome | Again | None = None
        with tracing.span(f"run {self._mode.name}") as span:
            try:
                host = self._links.host(dispatch, loaded.function, aside=held.aside, fresh=fresh)
                end = await self._mode.run(events.call_of(dispatch, loaded, request=request, host=host, live=live))
            except SecretUnreadableError as error:
                end = failure("SecretUnreadable", str(error))
            finally:
                notice.cancel()
                events.over(live, end)
            if tracing.on:
                spans.tell(span, end)
        return end, host.answering

    def _enter(self, dispatch: Dispatch) -> bool:
        """Whether one more may begin where those that wait for others keep what those others need."""
        return self._in_flight is None or self._in_flight.enter(dispatch.tenant, depth=dispatch.depth)

    def _leave(self, dispatch: Dispatch) -> None:
        if self._in_flight is not None:
            self._in_flight.leave(dispatch.tenant)

    def _announce(self, delivery: Delivery[Dispatch], picked: float, started: float) -> None:
        dispatch = delivery.body
        timeline = events.timeline(dispatch, picked=picked, started=started, done=0.0)
        event = events.started(delivery, timeline, executor=self._executor)
        announcing = asyncio.ensure_future(self._links.started(dispatch, event))
        self._announcing.add(announcing)
        announcing.add_done_callback(self._announcing.discard)

    async def _settle(self, delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline) -> None:
        """Put the end on disk and answer the caller, however long the bus is away: the work is done."""
        try:
            await self._tell(delivery, outcome, timeline)
        except Problem as problem:
            if problem.code != "too_large":
                raise
            await self._tell(delivery, failure("ResultTooLarge", problem.message), timeline)

    async def _tell(self, delivery: Delivery[Dispatch], outcome: Outcome, timeline: Timeline) -> None:
        recorded = outcome.recorded()
        finished = events.finished(delivery, recorded, timeline, executor=self._executor, mode=self._mode.name)
        told = outcome if delivery.body.request is not None else recorded
        letter = letter_of(delivery.body, recorded, sequence=delivery.sequence)

        async def tell() -> None:  # again after an outage: the first may have been lost in it
            # The letter first: who finds it after a kill -9 has only to report.
            number = 0 if letter is None else await self._links.bury(letter)
            stands = await self._links.report(finished, reply_to=delivery.body.reply_to, told=told)
            if number and not is_dead(stands):  # cancelled in this moment
                await self._links.unbury(number)

        await until_done(tell)
