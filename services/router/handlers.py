"""What arrives at the router by bus: commands, and notices that a function changed."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.router.config import Router
from services.router.decide import Moment, Refuse, Send, decide
from services.router.lag import told
from services.router.notices import Notices
from services.router.repeats import Repeats
from shared import registry, telemetry, tracing
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.cancels import Cancels
from shared.bus.consumer import PullConsumer
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.graveyard import keep, letter_of, take_back
from shared.bus.lookup import end_at
from shared.bus.messages import Answer, Finished, Invoke
from shared.bus.notices import FunctionChanged, IdentityChanged
from shared.directory import Directory, Tenants
from shared.domain.dead_letter import is_dead
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, cancelled, failure, limits_reached
from shared.domain.request import MAX_PATH
from shared.labels import NONE
from shared.tracing.facts import taken

_SENT = telemetry.ROUTED.labels("sent")
_REFUSED = telemetry.ROUTED.labels("refused")


class Handlers:
    """Facts in, one decision out."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._directory = Directory(service.store, cache_s=service.platform.cache_s, registry=registry.read())
        self._tenants = Tenants(service.store, cache_s=service.platform.cache_s)
        self._bounds = service.platform.bounds
        self._repeats = Repeats(service)
        self._notices = Notices(service.bus)
        self._cancels = Cancels(service.bus)

    async def start(self) -> PullConsumer[Invoke]:
        """Listen, and begin to pull commands."""
        bus, settings = self._service.bus, self._service.settings
        assert isinstance(settings, Router)
        await bus.listen(subjects.changed("*", "*"), self._directory.changed, body=FunctionChanged)
        await bus.listen(subjects.identity("*"), self._tenants.changed, body=IdentityChanged)
        bus.on_return(self._directory.doubt)
        bus.on_return(self._tenants.doubt)
        await self._cancels.start()  # before any command comes that may be cancelled
        spec = streams.router(lease_s=self._service.platform.lease_s, in_hand=settings.in_hand)
        consumer = PullConsumer(bus, spec, body=Invoke, handle=traced(self.route), given_up=self.give_up)
        await consumer.start()
        self._service.checks["commands"] = consumer.pulling
        return consumer

    async def stop(self) -> None:
        """Hear no more of what is cancelled."""
        await self._cancels.stop()

    async def route(self, delivery: Delivery[Invoke]) -> Verdict:
        """Decide one command and act on it. Repeats change nothing: what was sent carries the task's id."""
        command = delivery.body
        token = telemetry.about(telemetry.About(command.task_id, command.tenant, command.function))
        try:
            return await self._routed(delivery, command)
        finally:
            telemetry.no_more(token)

    async def _routed(self, delivery: Delivery[Invoke], command: Invoke) -> Verdict:
        if command.task_id in self._cancels:
            if await self._repeats.ended(command):
                return DONE
            by = await self._cancels.by(command.tenant, command.task_id)
            await self._refuse(delivery, cancelled(by), time.time())
            return DONE
        if await self._repeats.routed(delivery):
            return DONE
        function = await self._directory.find(
            command.tenant, command.function, revision=command.revision, id=command.function_id
        )
        routed_at = time.time()
        tenant = await self._tenants.find(command.tenant)
        decision = decide(
            command,
            id=command.id or delivery.sequence,
            function=function,
            tenant=tenant,
            bounds=self._bounds,
            moment=Moment(routed_at, repeated=delivery.count > 1 or command.is_again),
        )
        match decision:
            case Send(pool=pool, dispatch=dispatch):
                lane = subjects.work(pool, command.tenant, dispatch.lane)
                await self._notices.queued(pool, lane)
                await self._service.bus.store(lane, dispatch, id=_message_id(delivery))
                _SENT.inc()
            case Refuse() if await self._repeats.over(delivery):
                return DONE
            case Refuse(outcome=outcome):
                await self._refuse(delivery, outcome, routed_at, function=function)
                _REFUSED.inc()
                _count_limits(outcome, pool=function.pool if function else NONE)
        return DONE

    async def give_up(self, delivery: Delivery[Invoke], reason: str) -> None:
        """End a command that cannot be routed by any means, so that nobody waits for it."""
        await self._refuse(delivery, failure("Undeliverable", reason), time.time())

    async def _refuse(
        self, delivery: Delivery[Invoke], outcome: Outcome, routed_at: float, *, function: Function | None = None
    ) -> None:
        command, bus = delivery.body, self._service.bus
        letter = letter_of(command, outcome, sequence=delivery.sequence, function=function)
        number = 0 if letter is None else await keep(bus, letter)

        async def sent() -> None:  # behind the end, so that another end that is stored later is too late
            if command.reply_to:
                await bus.send(command.reply_to, Answer(task_id=command.task_id, outcome=outcome))

        request = command.request
        finished = Finished(
            id=command.id or delivery.sequence,
            task_id=command.task_id,
            tenant=command.tenant,
            function=command.function,
            function_id=command.function_id,
            function_name=command.function_name,
            version="",
            trigger_type=command.trigger_type,
            user=command.user,
            timeline=Timeline(accepted=command.accepted_at, routed=routed_at, done=routed_at),
            delivery=delivery.count,
            executor="",
            outcome=outcome,
            method=request.method if request else "",
            path=request.path[:MAX_PATH] if request else "",
            callback_url=command.callback_url,
            mode=function.pool if function is not None else command.mode,
        )
        subject = subjects.event(command.tenant, command.function, "finished")
        stored = await bus.store(subject, finished, id=f"{command.task_id}.finished", sent=sent)
        if number and stored.duplicate:
            await self._doubt(number, end=stored.sequence)

    async def _doubt(self, letter: int, *, end: int) -> None:
        """What has ended otherwise, cancelled in this moment, leaves no letter. `end` is that end's sequence."""
        stands = await end_at(self._service.bus, end)
        if stands is not None and not is_dead(stands.outcome.status):
            await take_back(self._service.bus, letter)


def traced(
    handle: Callable[[Delivery[Invoke]], Awaitable[Verdict]],
) -> Callable[[Delivery[Invoke]], Awaitable[Verdict]]:
    """The handler of commands, within a span where there are traces."""
    if not tracing.on:
        return handle

    async def handled(delivery: Delivery[Invoke]) -> Verdict:
        with tracing.span("route", kind="consumer", facts=taken(delivery.body, streams.INVOKE, count=delivery.count)):
            return await handle(delivery)

    return handled


def _message_id(delivery: Delivery[Invoke]) -> str:
    """That of the work: of a command that was put in anew another one, as the bus may know the former's."""
    command = delivery.body
    return f"{command.task_id}.again.{delivery.sequence}" if command.is_again else command.task_id


def _count_limits(outcome: Outcome, *, pool: str) -> None:
    for limit in limits_reached(outcome):
        telemetry.LIMITS_REACHED.labels(pool, limit).inc()


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The router at work."""
    handlers = Handlers(service)
    consumer = await handlers.start()
    async with told(service):
        yield
    await consumer.stop(grace_s=service.platform.drain_s / 2)
    await handlers.stop()
