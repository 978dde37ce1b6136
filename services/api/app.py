"""The composition root of the API: what exists, and who is given whom. `routes.py` has the route table."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from services.api import families, methods
from services.api.config import Admin, Api, body_cap
from services.api.core.aggregate import Aggregate
from services.api.core.app_settings import AppSettings
from services.api.core.apps import Apps
from services.api.core.called import Called
from services.api.core.calls import Calls
from services.api.core.credentials import Credentials
from services.api.core.deployments import Beside, Deployments
from services.api.core.directory import Directory
from services.api.core.environments import Environments
from services.api.core.event_sources import EventSources
from services.api.core.functions import Functions
from services.api.core.hashing import Hashing
from services.api.core.history import History
from services.api.core.invocations import Invocations
from services.api.core.logins import Logins
from services.api.core.logs import Logs
from services.api.core.metrics import FunctionMetrics
from services.api.core.pipelines import Pipelines
from services.api.core.recent import Recent
from services.api.core.removal import Removal
from services.api.core.schedules import Schedules
from services.api.core.sources import Sources
from services.api.core.tokens import Tokens
from services.api.core.triggers import Triggers
from services.api.core.users import Users
from services.api.core.versions import Versions
from services.api.core.webhook_secrets import WebhookSecrets
from services.api.core.webhooks import Webhooks
from services.api.dialects.apps.call import CallFunction
from services.api.dialects.apps.pages import Pages
from services.api.dialects.apps.routes import asked as apps_asked
from services.api.dialects.rest import execute, queries
from services.api.dialects.rest.openapi.document import Document
from services.api.dialects.rest.routes import asked
from services.api.door import Door
from services.api.forwarding import Forwarding
from services.api.quota import Quota
from services.api.rates import METER, Meter, RateLimits
from services.api.routes import APPS, DOCS, GIVEN, ROUTES
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
from shared.domain.caller import Caller
from shared.domain.problem import Problem
from shared.domain.rates import Rates
from shared.waiting import Waiting

_DAY_S = 86_400.0
_LONG_QUEUED_DAYS = 30.0  # the longest that work is thought to wait: the queue itself has no bound
_BACKLOG = 2048
# The part of the drain time after which waiting callers are told "accepted": the rest is for the telling.
_DRAIN_SHARE = 0.75
_LONGEST_QUEUE_S = 3700.0  # of the triggers service: SHOAL_TRIGGERS_QUEUE_S may be an hour
_BESIDE = 500  # requests in progress beside those that wait for a result: each may hold a whole body


class Cores(NamedTuple):
    """The application, as each dialect is given it."""

    rest: asked.Core
    apps: apps_asked.Core


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[None]:
    """Serve for as long as the block runs, then drain."""
    settings: Api = service.settings
    platform = service.platform
    waiting = Waiting(service.bus, service.store, instance=service.instance, most=settings.max_waiting)
    identity = Identity(service.bus, service.store, believed_s=settings.token_cache_s)
    signer = Signer(service.keyring, access_s=settings.access_s, refresh_s=settings.refresh_s)
    auth = Auth(identity, signer, domain=settings.domain)
    shared = _Shared(
        waiting,
        Recent(service.bus, service.store),
        Directory(service.bus, service.store, believed_s=platform.cache_s, registry=registry.read()),
        AppDirectory(service.bus, service.store, believed_s=platform.cache_s),
    )
    core = await _core(service, shared, auth, identity=identity, signer=signer)
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
    async with health.serve(door, listener, ws=ws, trusted_proxies=trusted):
        yield
        core.apps.logs.ending.set()
        asyncio.get_running_loop().call_later(platform.drain_s * _DRAIN_SHARE, waiting.give_up)
    await fetcher.close()
    if forwarding is not None:
        await forwarding.close()


def _forwarding(settings: Api, platform: config.Platform) -> Forwarding:
    """To the triggers service, which keeps a sender waiting no longer than a function may run and wait for that."""
    answer_s = platform.bounds.most.timeout_s + _LONGEST_QUEUE_S
    return Forwarding(settings.triggers_url, body_wait_s=settings.body_wait_s, answer_s=answer_s)


class _Shared(NamedTuple):
    """What several parts of the application share, and what hears of news."""

    waiting: Waiting
    recent: Recent
    functions: Directory
    apps: AppDirectory


def _call(service: Service, shared: _Shared, *, auth: Auth, edge: Edge) -> CallFunction:
    """Calls over HTTP."""
    settings: Api = service.settings
    calls = Calls(
        service.bus,
        service.keyring,
        waiting=shared.waiting,
        recent=shared.recent,
        bounds=service.platform.bounds,
        queue_s=settings.call_queue_s,
    )
    return CallFunction(
        auth, edge, calls, apps=shared.apps, functions=shared.functions, body_wait_s=settings.body_wait_s
    )


async def _core(service: Service, shared: _Shared, auth: Auth, *, identity: Identity, signer: Signer) -> Cores:
    """The application, listening."""
    bus, store, settings, platform = service.bus, service.store, service.settings, service.platform
    system = registry.read()
    waiting, recent, directory, known_apps = shared
    history = History(store)
    forgotten_s = (max(platform.invoke_days, platform.event_days) + _LONG_QUEUED_DAYS) * _DAY_S
    removal = Removal(store, directory, history=history, forgotten_s=forgotten_s)
    functions = Functions(
        store,
        directory,
        history=history,
        credentials=Credentials(service.keyring),
        most=platform.bounds.most,
        removal=removal,
        registry=system,
    )
    sources = Sources(bus, store, code_bytes=settings.code_bytes, wait_s=settings.compile_wait_s)
    versions = Versions(
        store,
        directory=directory,
        functions=functions,
        history=history,
        sources=sources,
    )
    invocations = Invocations(
        bus,
        store,
        directory=directory,
        waiting=waiting,
        recent=recent,
        bounds=platform.bounds,
        wait_s=settings.execute_wait_s,
        kept_s=platform.invoke_days * _DAY_S,
    )
    for listening in (directory, known_apps, waiting, recent, identity):
        await listening.open()
    hashing = Hashing(at_once=settings.logins_at_once)
    apps = Apps(store, known_apps)
    rest = asked.Core(
        functions,
        versions,
        invocations,
        history,
        schedules=Schedules(store),
        users=Users(store, identity, hashing),
        tokens=Tokens(store, identity),
        apps=apps,
        logins=Logins(store, identity, signer, hashing),
        aggregate=Aggregate(functions, system),
        pipelines=Pipelines(store, system),
        event_sources=EventSources(bus, store, service.keyring, most=settings.event_sources),
        events_base=settings.triggers_public_url.rstrip("/"),
    )
    return Cores(rest, _apps_core(service, shared, rest, auth=auth, sources=sources, removal=removal))


def _apps_core(
    service: Service, shared: _Shared, rest: asked.Core, *, auth: Auth, sources: Sources, removal: Removal
) -> apps_asked.Core:
    """What the dialect of apps speaks to."""
    store, directory, apps, history = service.store, shared.functions, rest.apps, rest.history
    environments = Environments(store, directory, apps=apps, history=history, keyring=service.keyring)
    secrets = WebhookSecrets(service.keyring)
    deployments = Deployments(
        store,
        directory,
        beside=Beside(apps, sources, environments, Triggers(secrets), history, removal),
        bounds=service.platform.bounds,
        registry=registry.read(),
    )
    return apps_asked.Core(
        deployments,
        environments,
        AppSettings(store, apps, service.keyring),
        logs=_logs(service, shared.recent),
        called=Called(store, apps),
        metrics=FunctionMetrics(store),
        webhooks=Webhooks(store, directory, apps=apps, history=history, secrets=secrets),
        known=auth.caller,
        webhook_base=service.settings.triggers_public_url.rstrip("/"),
    )


def _logs(service: Service, recent: Recent) -> Logs:
    """The logs of functions, with the bounds of those who follow them."""
    settings: Api = service.settings
    logs = Logs(
        service.bus,
        service.store,
        recent,
        most=settings.followers,
        most_of_one=settings.tenant_followers,
        keep_alive_s=settings.keep_alive_s,
    )
    service.facts["followers"] = lambda: len(logs)
    return logs


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

    async def known(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        if connection.scope["method"] == "OPTIONS":  # type: ignore[typeddict-item]
            return  # what a path knows is no secret, and browsers ask for it without a token
        headers = connection.scope["headers"]
        if handler.opt.get("anonymous"):
            connection.state.host_tenant = await auth.tenant(headers)
        else:
            await count(connection, await auth.caller(headers))
        if not families.is_of_apps(connection.scope["path"]):
            queries.refuse_null(connection, handler, given)

    async def count(connection: ASGIConnection[Any, Any, Any, Any], caller: Caller) -> None:
        connection.scope["user"] = caller
        meter: Meter | None = connection.scope.get(METER)  # type: ignore[assignment]  # `Door` has put it there
        if meter is not None:
            await meter.spend(caller)

    async def spoken_to() -> asked.Core:
        return core.rest

    async def apps_spoken_to() -> apps_asked.Core:
        return core.apps

    routes = [*ROUTES, *DOCS] if settings.docs else ROUTES
    given: dict[str, Callable[..., Any]] = {"core": spoken_to, **GIVEN}
    apps = Router("/", route_handlers=[*methods.options(APPS), *APPS], dependencies={"core": Provide(apps_spoken_to)})
    document = Document(routes, given, limited=settings.rate_limits)
    return Litestar(
        [*methods.options(routes), *routes, apps],  # before the framework makes its own
        guards=[known],
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


def _listener(settings: Api) -> socket.socket:
    return health.listen(settings.host, settings.port, settings.fd, setting="SHOAL_API_PORT", backlog=_BACKLOG)
