"""What arrives at the recorder by bus: commands and events, many at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from services.recorder import spans
from services.recorder.callbacks import Callbacks
from services.recorder.config import Recorder
from services.recorder.forgetting import Forgetting
from services.recorder.observing import Observing
from services.recorder.orphans import Orphans
from services.recorder.project import ends, project
from services.recorder.retention import Retention
from services.recorder.standing import Standing
from services.recorder.tally import Tally
from shared import telemetry, tracing
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.batches import Batch, BatchReader
from shared.bus.delivery import Delivery
from shared.bus.messages import Event, Finished, Invoke, Recorded
from shared.bus.notices import FunctionChanged, IdentityChanged
from shared.domain.problem import Problem
from shared.health import Look
from shared.labels import FunctionLabels
from shared.store import checkpoints, invocations, milestones
from shared.store.checkpoints import Mark

READER = checkpoints.RECORDER
_CHECK_S = 1.0
_log = telemetry.logger("recorder")


class Handlers:
    """Writes what happened into the store."""

    def __init__(
        self, service: Service, forgetting: Forgetting, tally: Tally, observing: Observing, *, retention: Retention
    ) -> None:
        self._service = service
        self._retention = retention
        self._forgetting = forgetting
        self._tally = tally
        self._observing = observing
        self._callbacks = Callbacks(service.bus, service.store, dedupe_s=service.platform.dedupe_s)

    async def record(self, batch: Batch) -> dict[int, str]:
        """Write one batch, then say so. Raises Problem(unavailable): it is tried again until it works."""
        refused: dict[int, str] = {}
        self._observing.lag.begin(batch)
        try:
            await self._write(batch)
        except Problem:
            raise
        except Exception as error:  # noqa: BLE001 - one document the driver cannot encode must not stop all others
            _log.error("batch refused by the driver", error=str(error), count=len(batch))
            refused = await self._one_by_one(batch)
        telemetry.RECORDED.inc(len(batch))
        telemetry.BATCH.observe(len(batch))
        self._observing.lag.end()
        await self._service.bus.send(subjects.RECORDED, Recorded(count=len(batch)))
        return refused

    async def _one_by_one(self, batch: Batch) -> dict[int, str]:
        refused: dict[int, str] = {}
        for position, delivery in enumerate(batch):
            try:
                await self._write([delivery])
            except Problem:
                raise
            except Exception as error:  # noqa: BLE001 - this one is buried with its reason
                refused[position] = f"cannot be recorded: {error}"
        return refused

    async def _write(self, batch: Batch) -> None:
        began = time.time()
        async with self._forgetting.writing:
            first, again = await self._write_kept([one for one in batch if one.body not in self._forgetting])
        if tracing.on:
            new = [end for end in first if end.body.task_id not in again]
            spans.tell(new, began=began, recorded=time.time())
        await self._callbacks.submit(first, again=again)

    async def _write_kept(self, batch: Batch) -> tuple[list[Delivery[Finished]], set[str]]:
        """The ends that are those on record, and the tasks of which an end was there before."""
        commands = [delivery for delivery in batch if isinstance(delivery.body, Invoke)]
        events = [delivery for delivery in batch if not isinstance(delivery.body, Invoke)]
        ended = ends(events)
        writes = project(commands, events, await self._retention.of(ended))
        if not writes:
            return [], set()
        try:
            taken = await invocations.write(self._service.store, writes)
            again = {place for place in taken if place < len(ended)}
            first = await self._first(ended, again)
        except BaseException:
            self._observing.failed(ended)
            raise
        if not ended:
            return [], set()
        self._observing.written(first, {ended[place].sequence for place in again})
        await self._tally.add(first)
        return first, {ended[place].body.task_id for place in again}

    async def _first(self, ended: list[Delivery[Finished]], taken: set[int]) -> list[Delivery[Finished]]:
        """Those that are the end on record; of what had one before (`taken`), the record says which one it was."""
        if not taken:
            return ended
        recorded = await invocations.ends(self._service.store, [ended[place].body.task_id for place in taken])
        return [
            end
            for place, end in enumerate(ended)
            if place not in taken or recorded.get(end.body.task_id) == end.sequence
        ]


class Shift:
    """One replica's turn at recording: from taking the checkpoint to losing it, or to the service's end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings: Recorder = service.settings
        self._forgetting = Forgetting(service.store)
        self._retention = Retention(service.store, service.platform)
        self._reader: BatchReader | None = None
        self._tally: Tally | None = None
        self._created: dict[str, str] = {}
        platform = service.platform
        self._observing = Observing(
            FunctionLabels(functions=platform.metrics_functions, tenants=platform.metrics_tenants)
        )

    @property
    def positions(self) -> dict[str, int]:
        """Up to where all is on record, of each stream; empty while another one records."""
        return {} if self._reader is None else self._reader.positions

    async def open(self) -> None:
        """Hear of deletions."""
        bus = self._service.bus
        await bus.listen(subjects.changed("*", "*"), self._changed, body=FunctionChanged)
        await bus.listen(subjects.identity("*"), self._retention.changed, body=IdentityChanged)
        bus.on_return(self._retention.doubt)

    async def _changed(self, notice: FunctionChanged) -> None:
        if notice.is_deletion:
            self._forgetting.hint()

    async def work(self) -> None:
        """Wait for a turn, record until it is lost, and again. Replicas stand by meanwhile."""
        while True:
            try:
                await self._turn()
            except Problem as problem:
                _log.warning("waiting", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("recording failed")
            await self.end(give_up=False)
            await asyncio.sleep(_CHECK_S)

    async def _turn(self) -> None:
        lease_s, seat = self._settings.lease_s, self._service.seat
        marks = await checkpoints.take(self._service.store, READER, holder=seat, lease_s=lease_s)
        if marks is None:
            return
        tally = await self._begin(marks)
        beside = [asyncio.create_task(work) for work in self._beside(tally, anew=not marks)]
        try:
            while await self._keep(lease_s):  # noqa: ASYNC110 - a lease is kept by the clock
                await asyncio.sleep(_CHECK_S)
        finally:
            for task in beside:
                task.cancel()
        _log.warning("another replica records now")

    def _beside(self, tally: Tally, *, anew: bool) -> list[Coroutine[Any, Any, None]]:
        """What is done beside the recording, until the turn is over."""
        work = [self._forgetting.run(), self._retention.run(), tally.run()]
        if anew:
            work.append(self._forget_milestones())
        if self._settings.orphans_s:
            orphans = Orphans(
                self._service.bus, self._service.store, after_s=self._settings.orphan_after_s, past=self._past
            )
            work.append(orphans.run(every_s=self._settings.orphans_s))
        return work

    def _past(self) -> int:
        """Up to which event all is on record."""
        return 0 if self._reader is None else self._reader.positions[streams.EVENTS]

    async def _forget_milestones(self) -> None:
        """Of a record that is written from the beginning, as soon as what there is now is in it."""
        upto = await self._service.bus.last_sequence(streams.EVENTS)
        while self._past() < upto:  # noqa: ASYNC110 - the position is nobody's to tell
            await asyncio.sleep(_CHECK_S)
        await milestones.forget_all(self._service.store)

    async def end(self, *, give_up: bool) -> None:
        """Write what is here, and where we are; let another one begin at once."""
        if self._reader is not None:
            await self._reader.stop(grace_s=self._service.platform.drain_s - 1)
            self._observing.lag.stop()
            if give_up:
                await self._keep(0.0)
            self._reader = None

    async def _begin(self, marks: dict[str, Mark]) -> Tally:
        settings, bus = self._settings, self._service.bus
        self._created = {name: await bus.created(name) for name in (streams.INVOKE, streams.EVENTS)}
        tally = Tally(self._service.store, self._forgetting, stream=self._created[streams.EVENTS])
        self._observing.begin(self._created[streams.EVENTS])
        reader = BatchReader(
            bus,
            Handlers(self._service, self._forgetting, tally, self._observing, retention=self._retention).record,
            size=settings.batch,
            linger_s=settings.linger_s,
            key=lambda body: body.task_id,
        )
        reader.add(streams.INVOKE, body=Invoke, hold_s=settings.hold_s)
        reader.add(streams.EVENTS, body=Event)
        # A stream that was made anew is read from its beginning.
        after = {name: mark.sequence for name, mark in marks.items() if self._created.get(name) == mark.created}
        await self._forgetting.begin()
        try:
            await reader.start(after)
        except BaseException:
            await reader.stop(grace_s=0.0)
            raise
        self._reader, self._tally = reader, tally
        _log.info("recording", after=after)
        return tally

    async def _keep(self, lease_s: float) -> bool:
        """Write down how far we are. A store that is away keeps everybody from recording, us too: nothing is lost."""
        if self._reader is None or self._tally is None:
            return False
        marks = {name: Mark(self._created[name], sequence) for name, sequence in self._reader.positions.items()}
        try:
            await self._tally.flush()  # what stands before these marks
            return await checkpoints.keep(
                self._service.store, READER, marks, holder=self._service.seat, lease_s=lease_s
            )
        except Problem:
            return True


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The recorder at work, or standing by."""
    shift = Shift(service)
    await shift.open()
    standing = Standing(service.bus, lambda: shift.positions)
    service.looks.append(Look(standing.look))
    standing.open()
    working = asyncio.create_task(shift.work())
    service.watch(working)
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait({working})
        await shift.end(give_up=True)
        standing.close()
