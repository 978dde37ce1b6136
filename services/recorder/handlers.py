"""What arrives at the recorder by bus: commands and events, many at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.recorder.config import Recorder
from services.recorder.project import project
from shared import telemetry
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.batches import Batch, BatchConsumer
from shared.bus.messages import Event, Finished, Invoke, Recorded, Started
from shared.domain.problem import Problem
from shared.store import invocations

_log = telemetry.logger("recorder")


class Handlers:
    """Writes what happened into the store."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def record(self, batch: Batch) -> dict[int, str]:
        """Write one batch, then say so. Raises Problem(unavailable): then nothing is lost, it will come again."""
        refused: dict[int, str] = {}
        try:
            await self._write(batch)
        except Problem:
            raise
        except Exception as error:  # noqa: BLE001 - one document the driver cannot encode must not stop all others
            _log.error("batch refused by the driver", error=str(error), count=len(batch))
            refused = await self._one_by_one(batch)
        telemetry.RECORDED.inc(len(batch))
        telemetry.BATCH.observe(len(batch))
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
        commands = [delivery for delivery in batch if isinstance(delivery.body, Invoke)]
        events = [delivery.body for delivery in batch if isinstance(delivery.body, Finished | Started)]
        writes = project(commands, events)
        if writes:
            await invocations.write(self._service.store, writes)


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The recorder at work."""
    settings: Recorder = service.settings
    lease_s = service.platform.lease_s
    consumer = BatchConsumer(
        service.bus,
        Handlers(service).record,
        size=settings.batch,
        linger_s=settings.linger_s,
        key=lambda body: body.task_id,
    )
    consumer.add(streams.recorder_commands(lease_s=lease_s), body=Invoke, hold_s=settings.hold_s)
    consumer.add(streams.recorder_events(lease_s=lease_s), body=Event)
    await consumer.start()
    yield
    await consumer.stop(grace_s=service.platform.drain_s - 1)
