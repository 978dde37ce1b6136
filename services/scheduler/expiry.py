"""What had to be started in time, and was taken by nobody: it ends as EXPIRED, though no executor ever gets to it.

An executor writes down that it starts such an invocation before it does. The sweep writes down in the same place that
it was not started: who is first there is right, so that nothing that runs is called expired, and nothing expired runs.
"""

import asyncio
import random
import time

from services.scheduler.config import Scheduler
from shared import telemetry
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.delivery import Delivery
from shared.bus.graveyard import keep, letter_of, take_back
from shared.bus.held_back import withdraw
from shared.bus.lookup import command_at
from shared.bus.messages import Begun, Invoke
from shared.cancelling import conclude, end_of, end_of_record
from shared.domain.dead_letter import is_dead
from shared.domain.invocation import Invocation
from shared.domain.outcome import Outcome, expired
from shared.domain.problem import Problem
from shared.store import invocations
from shared.store.functions import Functions

_PAGE = 200
_AT_ONCE = 16
_GRACE_S = 1.0  # routers and executors end what they get themselves
_log = telemetry.logger("expiry")


class Expiry:
    """Any number of them may sweep: what one has done changes nothing for another."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings: Scheduler = service.settings
        self._places = asyncio.Semaphore(_AT_ONCE)
        self.swept = 0

    async def work(self) -> None:
        """Sweep now and then, for ever."""
        while True:
            await asyncio.sleep(self._settings.expiry_s * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once
            try:
                await self.sweep()
            except Problem as problem:
                _log.warning("waiting", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("sweeping failed")

    async def sweep(self) -> None:
        """End all that is on record as waiting, and is late. Raises Problem(unavailable)."""
        after, before = 0.0, time.time() - _GRACE_S
        while True:
            late = await invocations.expired(self._service.store, after=after, before=before, limit=_PAGE)
            await asyncio.gather(*(self._tried(record) for record in late))
            if len(late) < _PAGE or late[-1].expires_at is None:
                return
            after = late[-1].expires_at.timestamp()

    async def _tried(self, record: Invocation) -> None:
        """End it. A fault with one must not keep the sweep from those behind it. Raises Problem(unavailable)."""
        try:
            await self._end(record)
        except Problem:
            raise
        except Exception:  # noqa: BLE001 - logged, and tried again by the next sweep
            facts = {"tenant": record.tenant, "function": record.function_slug}
            _log.exception("could not end what has expired", task_id=record.task_id, **facts)

    async def _end(self, record: Invocation) -> None:
        async with self._places:
            bus = self._service.bus
            if record.expires_at is None or not await self._claimed(record):
                return
            outcome = expired(record.expires_at.timestamp() - record.created_at.timestamp())
            command = await command_at(bus, tenant=record.tenant, sequence=record.id)
            if command is not None and command.body.task_id != record.task_id:
                command = None
            if command is not None:
                end, reply_to = end_of(command, outcome, record=record), command.body.reply_to
            else:
                end, reply_to = end_of_record(record, outcome), ""
            number = await self._bury(command, outcome) if command is not None else 0
            concluded = await conclude(bus, end, reply_to=reply_to)
            if number and concluded.outcome is not None and not is_dead(concluded.outcome.status):
                await take_back(bus, number)
            await withdraw(bus, record.tenant, record.task_id)
            if concluded.is_new:
                self.swept += 1
                telemetry.EXPIRED.inc()

    async def _bury(self, command: Delivery[Invoke], outcome: Outcome) -> int:
        """Keep the dead letter that this end leaves; its number, 0 where it leaves none."""
        body = command.body
        function = await Functions(self._service.store, body.tenant).by_id(body.function_id)
        letter = letter_of(body, outcome, sequence=command.sequence, function=function)
        return 0 if letter is None else await keep(self._service.bus, letter)

    async def _claimed(self, record: Invocation) -> bool:
        """Whether it is written down that nobody has started it, and nobody may."""
        bus, subject = self._service.bus, subjects.start(record.tenant, record.task_id)
        found = await bus.last(streams.STARTS, subject, Begun)
        if found is not None and not found.body.executor:
            return True  # a sweep that was cut short has been here
        if found is not None and (found.body.open or found.body.runs or found.body.attempt > 1):
            return False
        mark = Begun(task_id=record.task_id, executor="", sequence=0, attempt=1, runs=0, at=time.time(), open=False)
        try:
            await bus.replace(subject, mark, last=found.sequence if found else 0)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            return False  # an executor starts it in this moment
        return True
