"""What arrives at the triggers service: by bus notices of what changed, through its door whatever the kinds serve."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.triggers import kinds
from services.triggers.config import Triggers
from services.triggers.deliveries import Deliveries
from services.triggers.ingress import Ingress
from services.triggers.kind import World
from services.triggers.shares import Shares
from services.triggers.targets import Targets
from shared import health
from shared.app_directory import AppDirectory
from shared.boot import Service
from shared.bus import subjects
from shared.bus.notices import FunctionChanged, IdentityChanged
from shared.callers.auth import Auth
from shared.callers.edge import Edge
from shared.callers.end_users import Verifier
from shared.callers.fetcher import Fetcher
from shared.callers.identity import Identity
from shared.callers.jwks import Jwks
from shared.callers.signing import Signer
from shared.directory import Directory, Tenants
from shared.queue_caps import QueueCaps
from shared.tracing.http import traced
from shared.waiting import Waiting
from shared.websocket import Handshake

_BACKLOG = 2048
_DRAIN_SHARE = 0.7


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """The service at work. Any number of them share it."""
    settings: Triggers = service.settings
    platform = service.platform
    fetcher = Fetcher(platform)
    service.bus.admission = QueueCaps(service.bus, per_tenant=platform.queue_per_tenant)
    world = _world(service, settings, fetcher)
    await _listen(service, world)
    opened = [open_kind(world) for open_kind in kinds.OPEN]
    ingress = Ingress([route for kind in opened for route in kind.routes], most=settings.requests)
    listener = health.listen(settings.host, settings.port, settings.fd, setting="SHOAL_TRIGGERS_PORT", backlog=_BACKLOG)
    service.facts["waiting"] = lambda: len(world.waiting)
    try:
        async with AsyncExitStack() as stack:
            for kind in opened:
                await stack.enter_async_context(kind.work())
            await stack.enter_async_context(
                health.serve(
                    traced(ingress, believed=False), listener, ws=Handshake, trusted_proxies=platform.trusted_proxies
                )
            )
            stack.callback(world.ending.set)
            yield
            # Whoever waits for a handler's answer is told that we stop; the rest of the time is for the telling.
            asyncio.get_running_loop().call_later(platform.drain_s * _DRAIN_SHARE, world.waiting.give_up)
    finally:
        world.waiting.give_up()
        await fetcher.close()


def _world(service: Service, settings: Triggers, fetcher: Fetcher) -> World:
    bus, store, platform = service.bus, service.store, service.platform
    identity = Identity(bus, store, believed_s=settings.token_cache_s)
    auth = Auth(identity, Signer(service.keyring, access_s=1, refresh_s=1), domain=settings.domain)
    jwks = Jwks(fetcher.fetch, believed_s=settings.jwks_cache_s)
    return World(
        service=service,
        settings=settings,
        apps=AppDirectory(bus, store, believed_s=platform.cache_s),
        functions=Directory(store, cache_s=platform.cache_s),
        tenants=Tenants(store, cache_s=platform.cache_s),
        targets=Targets(store, believed_s=platform.cache_s, matches=settings.matches),
        deliveries=Deliveries(bus, store, dedupe_s=platform.dedupe_s),
        waiting=Waiting(bus, store, instance=service.instance, most=settings.max_waiting),
        auth=auth,
        edge=Edge(identity, Verifier(service.keyring, jwks), known=auth.known),
        identity=identity,
        requests=Shares(settings.tenant_requests),
        ending=asyncio.Event(),
    )


async def _listen(service: Service, world: World) -> None:
    bus = service.bus

    async def function_changed(notice: FunctionChanged) -> None:
        await world.functions.changed(notice)
        await world.targets.changed(notice)

    for listening in (world.apps, world.identity, world.waiting):
        await listening.open()
    await bus.listen(subjects.changed("*", "*"), function_changed, body=FunctionChanged)
    await bus.listen(subjects.identity("*"), world.tenants.changed, body=IdentityChanged)
    for cached in (world.functions, world.tenants, world.targets):
        bus.on_return(cached.doubt)
