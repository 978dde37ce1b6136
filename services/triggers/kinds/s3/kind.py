"""Uploads to object storage, by whatever way they are told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.triggers.kind import World
from services.triggers.kinds.s3.confirming import Confirming
from services.triggers.kinds.s3.fanout import Fanout
from services.triggers.kinds.s3.forgetting import keep_forgetting
from services.triggers.kinds.s3.posting import Posting
from services.triggers.kinds.s3.run import Parts
from services.triggers.kinds.s3.running import Running
from services.triggers.kinds.s3.sources import Sources
from services.triggers.sns import Sns


class S3:
    """The kind. Implements services.triggers.kind.Kind."""

    def __init__(self, world: World) -> None:
        self._service = world.service
        self._sources = Sources(world)
        self._parts = Parts(world, self._sources, Fanout(world))
        self._running = Running(self._parts)
        self._sns = Sns(world.service.platform, hosts=world.settings.sns_hosts)
        posting = Posting(world, self._sources, sns=Confirming(self._sns), take=self._parts.take)
        self.routes = posting.routes
        world.service.facts["sources"] = self._running.facts

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Run the sources that this process gets."""
        forgetting = self._service.bus.mind(keep_forgetting(self._service.store))
        try:
            async with self._sources.at_hand(), self._parts.reports.at_work(), self._running.at_work():
                yield
        finally:
            forgetting.cancel()
            await self._sns.close()


def open(world: World) -> S3:  # noqa: A001 - as every kind's is called
    """The kind, to be asked for its routes and for its work."""
    return S3(world)
