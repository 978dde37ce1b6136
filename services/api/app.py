"""The composition root of the API: what exists, and who is given whom. `routes.py` has the route table."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from services.api import families, methods
from services.api.config import Admin, Api, body_cap
from services.api.core.calls import Calls
from services.api.core.directory import Directory
from services.api.core.recent import Recent
from services.api.cores import Cores, Shared, cores
from services.api.dialects.apps.call import CallFunction
from services.api.dialects.apps.pages import Pages
from services.api.dialects.rest import execute
from services.api.dialects.rest.openapi.document import Document
from services.api.dialects.rest.routes import asked
from services.api.dialects.webui.routes import asked as webui_asked
from services.api.door import Door
from services.api.forwarding import Forwarding, is_triggers
from services.api.guard import Guard
from services.api.quota import Quota
from services.api.rates import RateLimits
from services.api.routes import APPS, DOCS, GIVEN, ROUTES, WEBUI
from services.api.splice import splicing
from shared import config, health, registry
from shared.app_directory import AppDirectory
from shared.boot import Service
from shared.bus import streams
from shared.bus.counters import Counters
from shared.callers.auth import Auth
from shared.callers.edge import Edge
from shared.callers.end_users import Verifier
from shared.callers.fetcher import Fetcher
from shared.callers.identity import Identity
from shared.callers.jwks import Jwks
from shared.callers.signing import Signer
from shared.domain.problem import Problem
from shared.domain.rates import Rates
from shared.idempotency import Idempotency
from shared.queue_caps import QueueCaps
from shared.tracing.http import traced
from shared.waiting import Waiting

_BACKLOG = 2048
# The part of the drain time after which waiting callers are told "accepted": the rest is for the telling.
_DRAIN_SHARE = 0.75
_LONGEST_QUEUE_S = 3700.0  # of the triggers service: SHOAL_TRIGGERS_QUEUE_S may be an hour
_BESIDE = 500  # requests in progress beside those that wait for a result: each may hold a whole body


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """Serve for as long as the block runs, then drain."""
    settings: Api = service.settings
    platform = service.platform
    waiting = Waiting(service.bus, service.store, instance=service.instance, most=settings.max_waiting)
    identity = Identity(service.bus, service.store, believed_s=settings.token_cache_s)
    signer = Signer(service.keyring, access_s=settings.access_s, refresh_s=settings.refresh_s)
    auth = Auth(identity, signer, domain=settings.domain)
    shared = Shared(
        waiting,
        Recent(service.bus, service.store),
        Directory(service.bus, service.store, believed_s=platform.cache_s, registry=registry.read()),
        AppDirectory(service.bus, service.store, believed_s=platform.cache_s),
    )
    service.bus.admission = QueueCaps(service.bus, per_tenant=platform.queue_per_tenant)
    core = await cores(service, shared, auth, identity=identity, signer=signer)
    await identity.keep_operator(config.read(Admin, prefix="SHOAL_").admin_token)
    fetcher = Fetcher(platform)
    jwks = Jwks(fetcher.fetch, believed_s=settings.jwks_cache_s)
    edge = Edge(identity, Verifier(service.keyring, jwks), known=auth.known)
    body_bytes, body_wait_s = body_cap(settings, platform), settings.body_wait_s
    forwarding = _forwarding(settings, platform) if settings.triggers_url else None
    door = Door(
        execute.Execute(auth, core.rest.invocations, body_bytes=body_bytes, body_wait_s=body_wait_s),
        Pages(framework(core, auth, settings, body_bytes=body_bytes), auth, edge, shared.apps),
        call=_call(service, shared, auth=auth, edge=edge),
        forwarding=forwarding,
        most=settings.max_waiting + _BESIDE,
        limits=_rate_limits(service, identity) if settings.rate_limits else None,
    )
    listener = _listener(settings)
    service.facts["waiting"] = lambda: len(waiting)
    service.facts["address"] = lambda: "%s:%d" % listener.getsockname()[:2]  # noqa: UP031 - a tuple
    trusted = platform.trusted_proxies
    ws = splicing(settings.triggers_url, trusted_proxies=trusted)
    served = traced(door, believed=True, passes=lambda scope: forwarding is not None and is_triggers(scope["raw_path"]))
    async with health.serve(served, listener, ws=ws, trusted_proxies=trusted):
        yield
        core.apps.logs.ending.set()
        asyncio.get_running_loop().call_later(platform.drain_s * _DRAIN_SHARE, waiting.give_up)
    await fetcher.close()
    await core.webui.loading.close()
    if forwarding is not None:
        await forwarding.close()


def _forwarding(settings: Api, platform: config.Platform) -> Forwarding:
    """To the triggers service, which keeps a sender waiting no longer than a function may run and wait for that."""
    answer_s = platform.bounds.most.timeout_s + _LONGEST_QUEUE_S
    return Forwarding(settings.triggers_url, body_wait_s=settings.body_wait_s, answer_s=answer_s)


def _call(service: Service, shared: Shared, *, auth: Auth, edge: Edge) -> CallFunction:
    """Calls over HTTP."""
    settings: Api = service.settings
    calls = Calls(
        service.bus,
        service.keyring,
        waiting=shared.waiting,
        recent=shared.recent,
        idempotency=Idempotency(service.bus, service.store),
        bounds=service.platform.bounds,
        queue_s=settings.call_queue_s,
    )
    return CallFunction(
        auth, edge, calls, apps=shared.apps, functions=shared.functions, body_wait_s=settings.body_wait_s
    )


def _rate_limits(service: Service, identity: Identity) -> RateLimits:
    """The rate limits, counted with the other replicas."""
    settings: Api = service.settings
    counters = Counters(service.bus, streams.rates(replicas=service.platform.stream_replicas))
    quota = Quota(counters, most=settings.rate_counts)

    async def rates_of(slug: str) -> Rates:
        try:
            tenant = await identity.tenant(slug)
        except Problem:  # whoever cannot be looked up has the platform's
            return settings.rates
        return settings.rates if tenant is None else settings.rates.of(tenant.rate_limits)

    service.facts["rate_counts"] = lambda: len(quota)
    return RateLimits(quota, settings.rates, rates_of=rates_of)


def framework(core: Cores, auth: Auth, settings: Api, *, body_bytes: int) -> Litestar:
    """The route table with its guard and its error handlers."""
    routes = [*ROUTES, *DOCS] if settings.docs else ROUTES
    given: dict[str, Callable[..., Any]] = {"core": _giving(lambda: core.rest), **GIVEN}
    apps = Router(
        "/", route_handlers=[*methods.options(APPS), *APPS], dependencies={"core": Provide(_giving(lambda: core.apps))}
    )
    webui = Router(
        "/",
        route_handlers=[*methods.options(WEBUI), *WEBUI],
        dependencies={"core": Provide(_giving(lambda: core.webui))},
        request_class=webui_asked.Asked,
    )
    document = Document(routes, given, limited=settings.rate_limits)
    return Litestar(
        [*methods.options(routes), *routes, apps, webui],  # before the framework makes its own
        guards=[Guard(auth, given).known],
        dependencies={name: Provide(giver) for name, giver in given.items()},
        exception_handlers={
            Problem: families.on_problem,
            HTTPException: families.on_http,
            Exception: families.on_crash,
        },
        request_class=asked.Asked,
        request_max_body_size=body_bytes,
        state=State({"body_wait_s": settings.body_wait_s, "document": document}),
        openapi_config=None,
        logging_config=None,
    )


def _giving(core: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def give() -> Any:
        return core()

    return give


def _listener(settings: Api) -> socket.socket:
    return health.listen(settings.host, settings.port, settings.fd, setting="SHOAL_API_PORT", backlog=_BACKLOG)
