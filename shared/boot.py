"""What every service's __main__ does: config, bus, store, health and metrics port, signals, drain."""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import uvloop

from shared import config, health, secrets, telemetry, tracing
from shared.bus import broker, streams
from shared.domain.problem import Problem
from shared.store import indexes
from shared.store.client import Store

_RETRY_S = 0.25
_QUIET_S = 5.0
"""Servers that start together with the services are waited for this long without a word."""
_MOST_FILES = 1 << 17
_PR_SET_PDEATHSIG = 1
_GC_THRESHOLD = (20_000, 20, 50)  # objects; the default of 700 costs a tenth of the CPU under load
_log = telemetry.logger("boot")


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is given: its names, its settings, an open bus and an open store.

    `instance` is this process and no other; `seat` is its place of work, which a process that is started in the place
    of a dead one has again (where nobody gives seats, the instance).
    `facts` are functions whose results the health page shows, by name; `checks` what must hold, beside bus and store,
    for the service to be ready; `looks` are taken before the metrics are shown. `watch` ends the service when the task
    dies of an exception: better started again than half alive.
    """

    name: str
    instance: str
    seat: str
    platform: config.Platform
    settings: Any
    bus: broker.Bus
    store: Store
    keyring: secrets.Keyring
    facts: dict[str, Callable[[], Any]]
    checks: dict[str, Callable[[], Awaitable[bool]]]
    looks: list[health.Look] = []
    watch: Callable[[asyncio.Task[Any]], None]


Start = Callable[[Service], AbstractAsyncContextManager[None]]


class Ending:
    """When a service is to end, and with which code."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.code = 0

    def watch(self, task: asyncio.Task[Any]) -> None:
        """End the service when this task dies."""
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a part of the service died", task=task.get_name(), exc_info=error)
            self.fail()

    def fail(self) -> None:
        """End the service now, and say that it failed."""
        self.code = 1
        self.told.set()


def run(name: str, settings: type[msgspec.Struct], start: Start) -> None:
    """Run a service until SIGTERM or SIGINT. A wrong setting ends it with one line and status 2."""
    try:
        platform = config.read(config.Platform, prefix="SHOAL_")
        config.refuse_unknown(name, settings)
        own = config.read(settings, prefix=f"SHOAL_{name.upper()}_")
        _die_with_parent(platform)
        _open_files()
        telemetry.configure(platform.log_format, platform.log_level, name)
        if config.wants_traces():
            tracing.start(name, trouble=_trouble_with_traces)
        door = health.listen(
            platform.health_host, platform.health_port, platform.health_fd, setting="SHOAL_HEALTH_PORT"
        )
        code = uvloop.run(_serve(name, platform, own, start, door=door))
    except config.ConfigError as error:
        print(f"shoal {name}: {error}", file=sys.stderr)
        code = 2
    else:
        tracing.stop(within_s=platform.trace_flush_s)
    if code:
        sys.exit(code)


def _trouble_with_traces(reason: str) -> None:
    _log.warning("traces are lost", reason=reason)


async def _serve(name: str, platform: config.Platform, settings: Any, start: Start, *, door: socket.socket) -> int:
    ending = Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.told.set)
    working = asyncio.create_task(_work(name, settings, start, platform=platform, door=door, ending=ending))
    stopping = asyncio.create_task(ending.told.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await asyncio.wait({working}, timeout=platform.drain_s)  # `_work` ends by itself, at once where it has not begun
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return ending.code


async def _work(
    name: str, settings: Any, start: Start, *, platform: config.Platform, door: socket.socket, ending: Ending
) -> None:
    page, stop = health.Page(name), ending.told
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(health.serve(page, door))
        keyring = secrets.open_keyring(platform)
        store = Store(platform.mongodb_url, database=platform.mongodb_database, timeout_s=platform.bus_timeout_s)
        stack.callback(store.close)
        bus = await _until(stop, lambda: _connected(stack, name, platform))
        if bus is None:
            return
        bus.on_fault = ending.fail
        _check_carries(bus, platform, settings)
        if await _until(stop, lambda: _laid(bus, store, platform)) is None:
            return
        instance = f"{name}-{os.getpid()}-{os.urandom(3).hex()}"
        service = Service(
            name=name,
            instance=instance,
            seat=platform.seat or instance,
            platform=platform,
            settings=settings,
            bus=bus,
            store=store,
            keyring=keyring,
            facts=page.facts,
            checks=page.checks,
            looks=page.looks,
            watch=ending.watch,
        )
        page.checks["bus"] = lambda: _answer(bus.connected)
        page.checks["store"] = store.ping
        async with start(service):
            _settle_memory()
            page.started = True
            _log.info("ready", instance=instance)
            await stop.wait()
            page.started = False
            _log.debug("draining")
    _log.info("stopped")


async def _answer(value: bool) -> bool:
    return value


async def _connected(stack: contextlib.AsyncExitStack, name: str, platform: config.Platform) -> broker.Bus:
    return await stack.enter_async_context(
        broker.connect(platform.nats_url, name=name, timeout_s=platform.bus_timeout_s, watch=telemetry.BusWatch())
    )


def _check_carries(bus: broker.Bus, platform: config.Platform, settings: Any) -> None:
    """A bus that cannot carry what the settings allow would lose it one day: it is refused now."""
    ours = getattr(settings, "message_bytes", None)
    needed = ours(platform) if ours else platform.message_bytes
    if bus.client.max_payload < needed:
        raise config.ConfigError(
            f"the bus carries messages of at most {bus.client.max_payload} bytes, and the settings need {needed}: "
            "raise max_payload in the NATS server's configuration, or lower SHOAL_RESULT_BYTES, SHOAL_PARAMS_BYTES or "
            "SHOAL_OUTPUT_BYTES"
        )


def bounds(platform: config.Platform) -> streams.Bounds:
    """What the settings say of the streams."""
    return streams.Bounds(
        replicas=platform.stream_replicas,
        invoke_age_s=platform.invoke_days * streams.DAY_S,
        invoke_bytes=platform.invoke_bytes,
        event_age_s=platform.event_days * streams.DAY_S,
        event_bytes=platform.event_bytes,
        dedupe_s=platform.dedupe_s,
        delivery_age_s=platform.delivery_days * streams.DAY_S,
        deliveries=platform.deliveries,
        idempotency_s=platform.idempotency_s,
        idempotency_keys=platform.idempotency_keys,
        dead_age_s=platform.dead_days * streams.DAY_S,
        dead_per_function=platform.dead_per_function,
    )


async def _laid(bus: broker.Bus, store: Store, platform: config.Platform) -> bool:
    """Streams and indexes are there. INVOKE, made anew, goes on above the highest id that was ever given."""
    await indexes.ensure(store)
    first = 1 if await bus.has_stream(streams.INVOKE) else await store.highest("invocations", "id") + 1
    for stream in streams.streams(bounds(platform), first_invocation=first):
        await bus.ensure_stream(stream)
    return True


async def _until(stop: asyncio.Event, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Try until it works or the service is told to stop; a server that stays away is said once, then waited for."""
    said, since = "", time.monotonic()
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        trying = asyncio.ensure_future(attempt())
        await asyncio.wait({trying, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not trying.done():
            trying.cancel()
            await asyncio.wait({trying})
            break
        error = trying.exception()
        if error is None:
            stopping.cancel()
            return trying.result()
        if said != str(error) and time.monotonic() - since >= _QUIET_S:
            said = str(error)
            _log.warning("waiting", reason=error.message if isinstance(error, Problem) else said)
        await asyncio.wait({stopping}, timeout=_RETRY_S)
    stopping.cancel()
    return None


def _settle_memory() -> None:
    """What is loaded by now stays: the collector need not walk it again and again, least of all during a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


def _open_files() -> None:
    """As many descriptors as may be: each connection has one, and the usual bound is 1024."""
    try:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        if soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # what there is will have to do
        return


def _die_with_parent(platform: config.Platform) -> None:
    """Linux: get SIGTERM when the supervisor is gone, however it went. Who inherits its health port has one."""
    if sys.platform == "linux" and platform.health_fd >= 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
