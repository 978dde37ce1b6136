"""What arrives at the executor by bus: dispatched work, and requests to compile."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple

from services.executor import modes
from services.executor.artefacts import Artefacts
from services.executor.cancelling import Cancellable, Cuts
from services.executor.ceilings import Ceilings
from services.executor.children import MOST, Children
from services.executor.config import Executor
from services.executor.examining import AT_ONCE, Examining
from services.executor.execution import Execution, Repeats
from services.executor.host import Hosts
from services.executor.inflight import InFlight
from services.executor.links import Aside, Loaded, Lost, Past
from services.executor.live import Live, Passing
from services.executor.mode import NO_CODE, Host, Mode, Opening, Reach, Refusal, Unavailable
from services.executor.pool.places import Places
from services.executor.spans import traced
from services.executor.valves import Valves
from shared import registry, sealed_request, telemetry
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.backlog import is_queued
from shared.bus.cancels import Cancels
from shared.bus.dead_letters import DeadLetters, told_by
from shared.bus.delivery import Last
from shared.bus.graveyard import DeadLetter, keep, take_back
from shared.bus.lanes import Lanes, Pool
from shared.bus.lookup import end_at
from shared.bus.messages import Answer, Begun, Cut, Dispatch, Finished, Queued, Retrying, Started
from shared.bus.notices import Compile, Compiled, Examine, Examined, FunctionChanged
from shared.bus.scan import knows
from shared.directory import Directory
from shared.domain.function import Function
from shared.domain.invocation import End
from shared.domain.outcome import Outcome, limits_reached
from shared.domain.problem import Problem
from shared.domain.request import Request
from shared.domain.version import CompileError
from shared.store.invocations import Invocations
from shared.waiting import Waiting

_LINES = 4  # a function may have this part of what is held ready, where it has a share
_log = telemetry.logger("executor")


class BusLinks:
    """`links.Links` by bus and store."""

    def __init__(
        self,
        service: Service,
        artefacts: Artefacts | None,
        pool: str,
        *,
        functions: Directory,
        hosts: Hosts,
        waiting: Waiting,
        cuts: Cuts,
        passing: Passing,
    ) -> None:
        self._bus = service.bus
        self._passing = passing
        self._waiting = waiting
        self._cuts = cuts
        self._store = service.store
        self._keyring = service.keyring
        self._hosts = hosts
        self._artefacts = artefacts
        self._functions = functions
        self._pool = pool

    async def load(self, dispatch: Dispatch) -> Loaded | Refusal:
        """Settings as new as the dispatch at least; code from the cache, the store, or the source."""
        found = await self._functions.find(
            dispatch.tenant, dispatch.function, revision=dispatch.revision, id=dispatch.function_id
        )
        if found is None or found.id != dispatch.function_id:
            return Refusal([CompileError(0, f"function '{dispatch.function}' is not in the store any more")])
        if self._artefacts is None:
            return Loaded(found, NO_CODE)
        made = await self._artefacts.load(dispatch.tenant, dispatch.code_hash)
        return made if isinstance(made, Refusal) else Loaded(found, made)

    def host(self, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> Host:
        """What the call may ask of the platform while it runs."""
        return self._hosts.of(dispatch, function, aside=aside, fresh=fresh)

    def live(self, dispatch: Dispatch, *, started: float) -> Live:
        """By the bus, for as long as somebody follows."""
        return self._passing.live(
            dispatch.tenant,
            dispatch.function_id,
            task_id=dispatch.task_id,
            attempt=dispatch.attempt,
            started=started,
            pool=self._pool,
        )

    def request(self, dispatch: Dispatch) -> Request | None:
        """With its secret headers opened."""
        if dispatch.request is None:
            return None
        return sealed_request.opened(dispatch.request, self._keyring, dispatch.task_id)

    async def past(self, dispatch: Dispatch) -> Past:
        """By the record in the store."""
        found = await Invocations(self._store, dispatch.tenant).past(dispatch.task_id, dispatch.attempt)
        running = Lost(found.executor, found.started_at.timestamp()) if found.started_at else None
        return Past(found.over, running)

    async def begun(self, dispatch: Dispatch) -> Last[Begun] | None:
        """In STARTS."""
        return await self._bus.last(streams.STARTS, subjects.start(dispatch.tenant, dispatch.task_id), Begun)

    async def begin(self, dispatch: Dispatch, mark: Begun, *, last: int) -> int:
        """Into STARTS."""
        return await self._bus.replace(subjects.start(dispatch.tenant, dispatch.task_id), mark, last=last)

    async def queued(self, sequence: int) -> bool:
        """Whether WORK has it."""
        return await is_queued(self._bus, sequence)

    async def told(self, dispatch: Dispatch) -> bool:
        """By the ids that EVENTS knows: those of as long as it looks for repeats, which a record is not behind."""
        finished = subjects.event(dispatch.tenant, dispatch.function, "finished")
        if await knows(self._bus, streams.EVENTS, finished, id=f"{dispatch.task_id}.finished"):
            return True
        retrying = subjects.event(dispatch.tenant, dispatch.function, "retrying")
        return await knows(self._bus, streams.EVENTS, retrying, id=f"{dispatch.task_id}.retrying.{dispatch.attempt}")

    async def cut(self, event: Cut) -> None:
        """Into EVENTS, once a run."""
        began_ms = int(event.timeline.started * 1000)
        await self._bus.store(
            subjects.event(event.tenant, event.function, "cut"), event, id=f"{event.task_id}.cut.{began_ms}"
        )

    async def died(self, dispatch: Dispatch) -> Outcome | None:
        """By the stream itself: the record may not have it yet."""
        accepted_at = dispatch.timeline.accepted
        letters = DeadLetters(self._bus, dispatch.tenant)
        found = await letters.of_task(dispatch.function, dispatch.task_id, accepted_at=accepted_at)
        return None if found is None else told_by(found.letter)

    async def bury(self, letter: DeadLetter) -> int:
        """Into DEAD, under an id of its task."""
        self._cuts.settling(letter.task_id)
        return await keep(self._bus, letter)

    async def unbury(self, number: int) -> None:
        """Out of DEAD."""
        await take_back(self._bus, number)

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        """Into EVENTS; a lost notice does no harm, the end carries the time too."""
        await self._bus.send(subjects.event(dispatch.tenant, dispatch.function, "started"), event)

    async def postpone(self, dispatch: Dispatch, *, due_at: float, id: str) -> None:
        """Into WORK, on a subject of its own until it is due."""
        waiting = subjects.later(self._pool, dispatch.tenant, dispatch.task_id, dispatch.attempt)
        target = subjects.work(self._pool, dispatch.tenant, dispatch.lane)
        await self._bus.store_later(waiting, dispatch, id=id, target=target, at=due_at)

    async def requeue(self, dispatch: Dispatch, *, id: str) -> None:
        """Into WORK again."""
        lane = subjects.work(self._pool, dispatch.tenant, dispatch.lane)
        await self._bus.send(subjects.queued(self._pool), Queued(lane=lane))
        await self._bus.store(lane, dispatch, id=id)

    async def retrying(self, event: Retrying) -> None:
        """Into EVENTS, once an attempt."""
        subject = subjects.event(event.tenant, event.function, "retrying")
        await self._bus.store(subject, event, id=f"{event.task_id}.retrying.{event.attempt}")

    async def report(self, finished: Finished, *, reply_to: str, told: Outcome) -> End:
        """Into EVENTS, under an id that makes the first end the only one; to the caller on his own subject, not stored.

        He is answered while the end is on its way: it comes to the server before the answer, so that another end that
        is stored later is too late. One who waits in this process would be too early, and is told when it is stored.
        """
        self._cuts.settling(finished.task_id)
        here = bool(reply_to) and self._waiting.is_here(reply_to)
        answer = Answer(task_id=finished.task_id, outcome=told)

        async def sent() -> None:
            if reply_to and not here:
                await self._bus.send(reply_to, answer)

        subject = subjects.event(finished.tenant, finished.function, "finished")
        stored = await self._bus.store(subject, finished, id=f"{finished.task_id}.finished", sent=sent)
        if stored.duplicate:
            answer = await self._had_ended(finished, stored.sequence, told)
            if reply_to and not here:
                await self._bus.send(reply_to, answer)
        else:
            for limit in limits_reached(finished.outcome):
                telemetry.LIMITS_REACHED.labels(self._pool, limit).inc()
        if here:
            self._waiting.told(answer)
        return answer.outcome.status

    async def _had_ended(self, finished: Finished, sequence: int, told: Outcome) -> Answer:
        """What is to be told where another end stands, the one with this sequence."""
        end = await end_at(self._bus, sequence)
        outcome = told if end is None or end.outcome.status == told.status else end.outcome
        facts = {
            "task_id": finished.task_id,
            "tenant": finished.tenant,
            "function": finished.function,
            "delivery": finished.delivery,
        }
        if not finished.timeline.started:  # it was not run here, because of that end as a rule
            return Answer(task_id=finished.task_id, outcome=outcome, settled=True)
        if outcome.status != "CANCELLED":
            telemetry.RAN_TWICE.labels(self._pool).inc()
            _log.warning("ran twice", **facts)
        elif told.status != "CANCELLED":
            telemetry.CANCELLED_LATE.labels(self._pool).inc()
            _log.info("cancelled late", **facts)
        return Answer(task_id=finished.task_id, outcome=outcome, settled=True)


class _Shared(NamedTuple):
    """What all pools of the process have together."""

    functions: Directory
    hosts: Hosts
    in_flight: InFlight
    waiting: Waiting
    valves: Valves
    cuts: Cuts
    passing: Passing


async def _serve_pool(service: Service, pool: str, mode: Mode, *, shared: _Shared) -> Pool:
    """Answer what is asked of the pool; what is to be done with its work."""
    settings: Executor = service.settings
    artefacts = Artefacts(service.store, mode, cache_bytes=settings.cache_bytes)

    async def compile_code(request: Compile) -> Compiled:
        try:
            made = await artefacts.load(request.tenant, request.code_hash)
        except (Problem, Unavailable) as error:
            return Compiled(unavailable=str(error))
        return Compiled(errors=made.errors if isinstance(made, Refusal) else [])

    # What runs no code only waits, so that a few more in hand cost nothing.
    ahead = settings.held_ready if mode.runs_code else mode.slots
    execution = Execution(
        BusLinks(
            service,
            artefacts if mode.runs_code else None,
            pool,
            functions=shared.functions,
            hosts=shared.hosts,
            waiting=shared.waiting,
            cuts=shared.cuts,
            passing=shared.passing,
        ),
        mode,
        executor=service.instance,
        notice_s=settings.notice_s,
        slot_wait_s=settings.slot_wait_s,
        repeats=Repeats(settings.backoff, settings.cuts),
        line=max(1, ahead // _LINES) if mode.share < 1 else ahead,
        in_flight=shared.in_flight if mode.runs_code else None,
    )
    if mode.runs_code:
        await service.bus.serve(subjects.compile_code(pool), compile_code, body=Compile, answer=Compiled)
    if mode.examines:
        examining = Examining(
            mode,
            artefacts,
            people=shared.valves,
            keyring=service.keyring,
            settings=settings,
            platform=service.platform,
        )
        subject = subjects.examine(pool)
        await service.bus.serve(subject, examining.examine, body=Examine, answer=Examined, workers=AT_ONCE)
    return Pool(
        name=pool,
        body=Dispatch,
        handle=traced(Cancellable(execution, shared.cuts).handle, pool=pool, executor=service.instance),
        given_up=execution.give_up,
        slots=mode.slots,
        ahead=ahead,
        lease_s=service.platform.lease_s,
        stop=execution.stop,
    )


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The executor at work: every mode it has is a pool."""
    async with AsyncExitStack() as stack:
        functions = Directory(service.store, cache_s=service.platform.cache_s, registry=registry.read())
        await service.bus.listen(subjects.changed("*", "*"), functions.changed, body=FunctionChanged)
        service.bus.on_return(functions.doubt)
        cancels = Cancels(service.bus)
        await cancels.start()  # before anything is pulled that may be cancelled
        stack.push_async_callback(cancels.stop)
        reach = Reach(service.bus, service.store, functions, service.instance, cancels)
        settings, platform = service.settings, service.platform
        waiting = Waiting(service.bus, service.store, instance=service.instance, most=MOST)
        await waiting.open()
        children = Children(service.bus, service.store, keyring=service.keyring, waiting=waiting, cancels=cancels)
        valves = Valves(service.store, service.keyring, cache_s=platform.cache_s)
        hosts = Hosts(reach, service.keyring, children=children, valves=valves, platform=platform, executor=settings)
        in_flight = InFlight(settings.bounds, slots=settings.slots, max_depth=platform.max_depth)
        passing = Passing(service.bus, service.instance, settings)
        await passing.open()
        stack.callback(passing.close)
        shared = _Shared(functions, hosts, in_flight, waiting, valves, Cuts(cancels), passing)
        places = Places(settings.bounds)
        opening = Opening(service.settings, service.platform, service.keyring, places, reach)
        pools = []
        for pool, open_mode in modes.OPEN.items():
            mode = await open_mode(opening)
            stack.push_async_callback(mode.close)
            service.facts[pool] = mode.facts
            pools.append(await _serve_pool(service, pool, mode, shared=shared))
        ceilings = Ceilings(service.store, cache_s=platform.cache_s)
        lanes = Lanes(service.bus, pools, bound=ceilings.bound)
        await ceilings.listen(service.bus, lanes)
        for pool in modes.OPEN:
            telemetry.LANES.labels(pool).set_function(partial(lanes.open, pool))
        await lanes.start()
        service.checks["lanes"] = lanes.looking
        stack.push_async_callback(lanes.stop, grace_s=platform.drain_s - 1)
        yield
