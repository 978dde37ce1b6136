"""Celery with its own Redis (append-only file, default fsync) and as many prefork workers as cores."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from bench.celery_redis.spread import Spread
from bench.options import Options
from bench.processes import READY_S, NotRun, child, output, python, tail
from bench.procfs import Processes, descendants
from bench.sample import Sample

# Worker chatter that costs and that one node has no use for.
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")


class Celery:
    """A running worker and its Redis."""

    name = "celery"

    def __init__(self, redis_url: str, redis_pid: int, worker_pid: int) -> None:
        self._redis_url = redis_url
        self._pids = (redis_pid, worker_pid)
        self.spread: Spread | None = None

    def processes(self) -> Processes:
        """Redis, the worker's main process and its prefork children."""
        redis, worker = self._pids
        return {"redis-server": [redis], "celery main": [worker], "celery children": descendants(worker)}

    async def load(self, *, in_flight: int, seconds: float, warm_s: float) -> Sample:
        """Callers are threads, all in one process or spread over one a core: the first busy load finds the better."""
        if in_flight == 1:
            return await self._call(Spread(1, 1), seconds, warm_s)
        if self.spread is None:
            ways = [Spread(1, in_flight), Spread(os.cpu_count() or 1, in_flight // (os.cpu_count() or 1))]
            rates = [(await self._call(way, seconds, warm_s)).rate for way in ways]
            self.spread = ways[rates.index(max(rates))]
        return await self._call(self.spread, seconds, warm_s)

    async def _call(self, spread: Spread, seconds: float, warm_s: float) -> Sample:
        shape = ("--processes", str(spread.processes), "--threads", str(spread.threads))
        timing = ("--seconds", str(seconds), "--warm", str(warm_s))
        command = python("bench.celery_redis.client", "--redis", self._redis_url, *shape, *timing)
        return msgspec.json.decode(await output(command, timeout_s=seconds + warm_s + 120.0), type=Sample)


@asynccontextmanager
async def running(_: Options, folder: Path) -> AsyncIterator[Celery]:
    """Redis and a worker for the length of the block; NotRun where one of them is not installed."""
    redis = shutil.which("redis-server")
    if redis is None:
        raise NotRun("redis-server is not installed")
    if importlib.util.find_spec("celery") is None:
        raise NotRun("Celery is not installed (uv sync --group bench)")
    port = _free_port()
    url = f"redis://127.0.0.1:{port}/0"
    durable = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
    server = [redis, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *durable]
    worker = [sys.executable, "-m", "celery", "-b", url, "--result-backend", url, "-A", "bench.celery_redis.tasks:app"]
    worker += ["worker", "--pool", "prefork", "--concurrency", str(os.cpu_count() or 1), *QUIET]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(child("redis-server", server, log=folder / "redis.log"))
        await _listening(port, folder / "redis.log")
        second = await stack.enter_async_context(child("celery worker", worker, log=folder / "worker.log"))
        celery = Celery(url, first.pid, second.pid)
        await celery.load(in_flight=1, seconds=0.2, warm_s=0.2)  # returns when the worker has answered
        yield celery


async def _listening(port: int, log: Path) -> None:
    """Return when the port accepts."""
    end = asyncio.get_running_loop().time() + READY_S
    while asyncio.get_running_loop().time() < end:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise NotRun(f"redis-server did not answer: {tail(log)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
