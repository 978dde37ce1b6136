"""What the dialects are given to speak to: the application, put together once."""

from typing import NamedTuple

from services.api.config import Api
from services.api.core.aggregate import Aggregate
from services.api.core.app_settings import AppSettings
from services.api.core.apps import Apps
from services.api.core.callbacks import Callbacks
from services.api.core.called import Called
from services.api.core.cancelling import Cancelling
from services.api.core.credentials import Credentials
from services.api.core.dead_letters import DeadLetters
from services.api.core.deployments import Beside, Deployments
from services.api.core.directory import Directory
from services.api.core.environments import Environments
from services.api.core.event_sources import EventSources
from services.api.core.examining import Examining
from services.api.core.functions import Functions
from services.api.core.hashing import Hashing
from services.api.core.history import History
from services.api.core.invocations import Invocations
from services.api.core.lines import Lines
from services.api.core.loading import Loading
from services.api.core.logins import Logins
from services.api.core.logs import Logs
from services.api.core.metrics import FunctionMetrics
from services.api.core.pipelines import Pipelines
from services.api.core.plugin_sync import PluginSync
from services.api.core.plugin_versions import PluginVersions
from services.api.core.plugin_writing import Beside as BesidePlugins
from services.api.core.plugin_writing import PluginWriting
from services.api.core.plugins import Plugins
from services.api.core.queues import Queues
from services.api.core.recent import Recent
from services.api.core.removal import Removal
from services.api.core.schedules import Schedules
from services.api.core.sources import Sources
from services.api.core.tokens import Tokens
from services.api.core.triggers import Triggers
from services.api.core.users import Users
from services.api.core.valves import Valves
from services.api.core.versions import Versions
from services.api.core.webhook_secrets import WebhookSecrets
from services.api.core.webhooks import Webhooks
from services.api.dialects.apps.routes import asked as apps_asked
from services.api.dialects.rest.routes import asked
from services.api.dialects.webui.routes import asked as webui_asked
from shared import registry
from shared.app_directory import AppDirectory
from shared.boot import Service
from shared.callback_secrets import CallbackSecrets
from shared.callers.auth import Auth
from shared.callers.identity import Identity
from shared.callers.signing import Signer
from shared.waiting import Waiting

_DAY_S = 86_400.0
_LONG_QUEUED_DAYS = 30.0  # the longest that work is thought to wait: the queue itself has no bound


class Cores(NamedTuple):
    """The application, as each dialect is given it."""

    rest: asked.Core
    apps: apps_asked.Core
    webui: webui_asked.Core


class Shared(NamedTuple):
    """What several parts of the application share, and what hears of news."""

    waiting: Waiting
    recent: Recent
    functions: Directory
    apps: AppDirectory


class Parts(NamedTuple):
    """Parts of the application that several dialects lead to."""

    apps: Apps
    sources: Sources
    history: History
    removal: Removal


async def cores(service: Service, shared: Shared, auth: Auth, *, identity: Identity, signer: Signer) -> Cores:
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
        Cancelling(bus, store, invocations, recent),
        history,
        schedules=Schedules(store),
        users=Users(store, identity, hashing),
        tokens=Tokens(store, identity),
        apps=apps,
        logins=Logins(store, identity, signer, hashing),
        aggregate=Aggregate(functions, system),
        pipelines=Pipelines(store, system),
        event_sources=EventSources(bus, store, service.keyring, most=settings.event_sources),
        callbacks=Callbacks(CallbackSecrets(store, service.keyring)),
        dead_letters=DeadLetters(bus, store, service.keyring, recent=recent, registry=system),
        queues=Queues(bus),
        events_base=settings.triggers_public_url.rstrip("/"),
    )
    parts = Parts(apps, sources, history, removal)
    return Cores(rest, await _apps_core(service, shared, parts, auth=auth), _webui_core(service, shared, parts))


async def _apps_core(service: Service, shared: Shared, parts: Parts, *, auth: Auth) -> apps_asked.Core:
    """What the dialect of apps speaks to."""
    store, directory = service.store, shared.functions
    apps, sources, history, removal = parts
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
        logs=await _logs(service, shared.recent),
        called=Called(store, apps),
        metrics=FunctionMetrics(store),
        webhooks=Webhooks(store, directory, apps=apps, history=history, secrets=secrets),
        known=auth.caller,
        webhook_base=service.settings.triggers_public_url.rstrip("/"),
    )


def _webui_core(service: Service, shared: Shared, parts: Parts) -> webui_asked.Core:
    """What the dialect of plugins speaks to."""
    store, keyring, settings = service.store, service.keyring, service.settings
    directory, system, most = shared.functions, registry.read(), settings.plugins
    examining = Examining(service.bus, keyring, wait_s=settings.compile_wait_s)
    beside = BesidePlugins(parts.apps, parts.sources, examining, parts.removal, parts.history)
    writing = PluginWriting(store, directory, keyring, beside=beside, most=most, registry=system)
    return webui_asked.Core(
        Plugins(store, writing),
        PluginVersions(store, writing),
        Valves(store, keyring, examining=examining, writing=writing),
        PluginSync(store, directory, keyring, beside=beside, most=most, registry=system),
        Loading(service.platform, settings),
    )


async def _logs(service: Service, recent: Recent) -> Logs:
    """The logs of functions, with the bounds of those who follow them."""
    settings: Api = service.settings
    lines = Lines(service.bus, most_bytes=settings.follower_bytes)
    await lines.open()
    logs = Logs(
        service.bus,
        service.store,
        recent,
        lines=lines,
        most=settings.followers,
        most_of_one=settings.tenant_followers,
        keep_alive_s=settings.keep_alive_s,
    )
    service.facts["followers"] = lambda: len(logs)
    return logs
