"""What arrives at the scheduler service by bus: ticks that have come due, and notices of changed functions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.scheduler.clockwork import Clockwork
from services.scheduler.config import Scheduler
from services.scheduler.expiry import Expiry
from services.scheduler.sweep import Sweep
from shared.boot import Service
from shared.bus import streams, subjects
from shared.bus.consumer import PullConsumer
from shared.bus.notices import FunctionChanged, Tick


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The scheduler at work. Any number of them share it."""
    settings: Scheduler = service.settings
    spec = streams.scheduler(lease_s=settings.lease_s, in_hand=settings.in_hand)
    clockwork, sweep = Clockwork(service), Sweep(service, spec)
    consumer = PullConsumer(service.bus, spec, body=Tick, handle=clockwork.take)
    expiry = Expiry(service)
    working = [asyncio.create_task(work) for work in (clockwork.submit(), clockwork.keep_books(), expiry.work())]
    for task in working:
        service.watch(task)
    await consumer.start()
    await service.bus.listen(subjects.changed("*", "*"), sweep.heard, body=FunctionChanged)
    service.bus.on_return(sweep.doubt)
    sweeping = asyncio.create_task(sweep.work())
    service.watch(sweeping)
    service.checks["ticks"] = consumer.pulling
    service.facts["schedules"] = lambda: sweep.schedules
    service.facts["expired"] = lambda: expiry.swept
    service.facts["next_due"] = lambda: sweep.next_due
    service.facts["last_lateness_s"] = lambda: round(clockwork.lateness_s, 3)
    try:
        yield
    finally:
        sweeping.cancel()
        await consumer.stop(grace_s=service.platform.drain_s / 2)
        for task in working:
            task.cancel()
        await asyncio.wait([sweeping, *working])
