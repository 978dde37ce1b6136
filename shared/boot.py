"""What every service's __main__ does: config, bus, store, health and metrics port, signals, drain."""

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import uvloop

from shared import config, health, telemetry
from shared.bus import broker, streams
from shared.domain.problem import Problem
from shared.store import indexes
from shared.store.client import Store

_RETRY_S = 0.25
_PR_SET_PDEATHSIG = 1
_GC_THRESHOLD = (20_000, 20, 50)  # objects; the default of 700 costs a tenth of the CPU under load
_log = telemetry.logger("boot")


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is given: its name and instance, its settings, an open bus and an open store.

    `facts` are functions whose results the health page shows, by name.
    """

    name: str
    instance: str
    platform: config.Platform
    settings: Any
    bus: broker.Bus
    store: Store
    facts: dict[str, Callable[[], Any]]


Start = Callable[[Service], AbstractAsyncContextManager[None]]


def run(name: str, settings: type[msgspec.Struct], start: Start) -> None:
    """Run a service until SIGTERM or SIGINT. A wrong setting ends it with one line and status 2."""
    _die_with_parent()
    try:
        platform = config.read(config.Platform, prefix="SHOAL_")
        config.refuse_unknown(name, settings)
        own = config.read(settings, prefix=f"SHOAL_{name.upper()}_")
    except config.ConfigError as error:
        print(f"shoal {name}: {error}", file=sys.stderr)
        sys.exit(2)
    telemetry.configure(platform.log_format, platform.log_level, name)
    uvloop.run(_serve(name, platform, own, start))


async def _serve(name: str, platform: config.Platform, settings: Any, start: Start) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    working = asyncio.create_task(_work(name, settings, start, platform=platform, stop=stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await asyncio.wait({working}, timeout=platform.drain_s)  # `_work` ends by itself, at once where it has not begun
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _work(name: str, settings: Any, start: Start, *, platform: config.Platform, stop: asyncio.Event) -> None:
    page = health.Page(name)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(health.serve(page, _health_socket(platform)))
        store = Store(platform.mongodb_url, database=platform.mongodb_database, timeout_s=platform.bus_timeout_s)
        stack.callback(store.close)
        bus = await _until(stop, lambda: _connected(stack, name, platform))
        if bus is None or await _until(stop, lambda: _laid(bus, store, platform)) is None:
            return
        instance = f"{name}-{os.getpid()}-{os.urandom(3).hex()}"
        service = Service(
            name=name, instance=instance, platform=platform, settings=settings, bus=bus, store=store, facts=page.facts
        )
        page.checks["bus"] = lambda: _answer(bus.connected)
        page.checks["store"] = store.ping
        async with start(service):
            _settle_memory()
            page.started = True
            _log.info("ready", instance=instance)
            await stop.wait()
            page.started = False
            _log.info("draining")
    _log.info("stopped")


async def _answer(value: bool) -> bool:
    return value


async def _connected(stack: contextlib.AsyncExitStack, name: str, platform: config.Platform) -> broker.Bus:
    return await stack.enter_async_context(
        broker.connect(platform.nats_url, name=name, timeout_s=platform.bus_timeout_s, watch=telemetry.BusWatch())
    )


async def _laid(bus: broker.Bus, store: Store, platform: config.Platform) -> bool:
    """Streams and indexes are there. INVOKE, made anew, goes on above the highest id that was ever given."""
    await indexes.ensure(store)
    first = 1 if await bus.has_stream(streams.INVOKE) else await store.highest("invocations", "id") + 1
    bounds = streams.Bounds(
        replicas=platform.stream_replicas,
        invoke_age_s=platform.invoke_days * streams.DAY_S,
        invoke_bytes=platform.invoke_bytes,
        event_age_s=platform.event_days * streams.DAY_S,
        event_bytes=platform.event_bytes,
        dedupe_s=platform.dedupe_s,
    )
    for stream in streams.streams(bounds, first_invocation=first):
        await bus.ensure_stream(stream)
    return True


async def _until(stop: asyncio.Event, attempt: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Try until it works or the service is told to stop; a server that is away is said once, then waited for."""
    said = ""
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
        if said != str(error):
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


def _health_socket(platform: config.Platform) -> socket.socket:
    if platform.health_fd >= 0:
        return socket.socket(fileno=platform.health_fd)
    return socket.create_server((platform.health_host, platform.health_port), backlog=64)


def _die_with_parent() -> None:
    """Linux: get SIGTERM when the supervisor is gone, however it went."""
    if sys.platform == "linux" and os.environ.get("SHOAL_HEALTH_FD"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
