"""Shoal, as a user starts it: `shoal up` on a fresh data folder."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from motor.motor_asyncio import AsyncIOMotorClient

from bench import tax
from bench.contenders.contender import HttpTarget
from bench.options import Options
from bench.processes import ROOT, NotRun, child, python, tail
from bench.procfs import Processes, descendants, name, parent, rss_bytes
from bench.sample import Sample

DATABASE = "shoal"
COLLECTION = "invocations"
UP_S = 90.0
SETTLE_S = 120.0
CALL_S = 30.0
REST_S = 2.0


class Service(msgspec.Struct, frozen=True):
    """One process of Shoal's own."""

    pid: int


class Ready(msgspec.Struct, frozen=True):
    """The file `ready.json` of a running `shoal up`."""

    url: str
    token: str
    nats: str
    mongodb: str
    triggers: str
    services: dict[str, Service]
    servers: dict[str, Service] = {}


class Shoal:
    """A running Shoal with the tax function deployed."""

    name = "shoal"

    def __init__(self, ready: Ready, up_pid: int, *, start_s: float) -> None:
        self.ready = ready
        self.up_pid = up_pid
        self.start_s = start_s  # from the command to ready.json
        self.resting_mb = 0.0  # before anything was asked of it
        self.target = HttpTarget(url=f"{ready.url.rstrip('/')}/api/functions/{tax.SLUG}/execute/", token=ready.token)

    def resident_mb(self) -> float:
        """All processes but mongod; shared pages count for each."""
        ours = [pid for label, pids in self.processes().items() if label != "mongod" for pid in pids]
        return sum(rss_bytes(pid) for pid in ours) / 2**20

    def processes(self) -> Processes:
        """Services by name, their children as `<service> children`, servers and the supervisor by program."""
        found: Processes = {"up": [self.up_pid]}
        services = {one.pid: label for label, one in (self.ready.services | self.ready.servers).items()}
        below = {child_pid: label for pid, label in services.items() for child_pid in descendants(pid)}
        for pid in descendants(self.up_pid):
            label = services.get(pid) or (f"{below[pid]} children" if pid in below else name(pid))
            found.setdefault(label, []).append(pid)
        return found

    def workers(self) -> list[int]:
        """The processes that functions run in: what the executor's own children, the zygotes, have forked."""
        executor = self.executor_pid()
        zygotes = [pid for pid in descendants(executor) if parent(pid) == executor]
        return [pid for zygote in zygotes for pid in descendants(zygote)]

    def executor_pid(self) -> int:
        """The process that takes work from the queue."""
        return next(service.pid for label, service in self.ready.services.items() if label.startswith("executor"))

    async def load(self, *, in_flight: int, seconds: float, warm_s: float) -> Sample:
        """Over HTTP."""
        return await self.target.load(in_flight=in_flight, seconds=seconds, warm_s=warm_s)

    async def settle(self, count: int) -> None:
        """Wait until `count` invocations, and the one of the deployment, are recorded as ended."""
        client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(self.ready.mongodb)
        ended = {"status": {"$in": ["SUCCESS", "FAILURE"]}}
        end = time.monotonic() + SETTLE_S
        try:
            while (found := await client[DATABASE][COLLECTION].count_documents(ended)) < count + 1:
                if time.monotonic() > end:
                    raise RuntimeError(f"Shoal recorded {found} of {count + 1} invocations")
                await asyncio.sleep(0.2)
        finally:
            client.close()


def running(_: Options, folder: Path) -> AbstractAsyncContextManager[Shoal]:
    """Shoal for the length of the block; NotRun with its last words when it does not come up."""
    return started(folder)


@asynccontextmanager
async def started(
    folder: Path, *, checkout: Path = ROOT, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Shoal]:
    """The same, with the code of another checkout, or settings of its own."""
    command = python("cli", "up", "--port", "0", "--data-dir", str(folder / "data"))
    log = folder / "up.log"
    # One client asks for everything.
    environ: dict[str, Any] = {"PYTHONPATH": str(checkout), "SHOAL_API_RATE_LIMITS": "false", **(settings or {})}
    since = time.monotonic()
    async with child("shoal up", command, log=log, cwd=checkout, **environ) as up:
        ready = await _ready(folder / "data" / "ready.json", up.pid, log)
        shoal = Shoal(ready, up.pid, start_s=time.monotonic() - since)
        await asyncio.sleep(REST_S)
        shoal.resting_mb = shoal.resident_mb()
        try:
            await asyncio.to_thread(_deploy, shoal.ready)
        except NotRun as why:
            raise NotRun(f"{why}; {tail(log)}") from None
        yield shoal


async def _ready(path: Path, pid: int, log: Path) -> Ready:
    end = time.monotonic() + UP_S
    while time.monotonic() < end and name(pid):  # without a name it has ended
        if text := _read(path):
            return msgspec.json.decode(text, type=Ready)
        await asyncio.sleep(0.05)
    raise NotRun(f"shoal up did not become ready: {tail(log)}")


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _deploy(ready: Ready) -> None:
    """The first seed's Quick Start: create, upload, execute once."""
    call(ready, create(ready, tax.NAME))


def call(ready: Ready, slug: str) -> None:
    """Execute once. Raises NotRun when it does not succeed."""
    answer = _post(ready, f"/api/functions/{slug}/execute/", {"params": tax.PARAMS})
    if answer.get("status") != "SUCCESS":
        raise NotRun(f"the first execution answered {answer}")


def create(ready: Ready, title: str) -> str:
    """A function with the tax function's code, ready to be called; its slug. Raises NotRun when it is not taken."""
    return create_with(ready, title, tax.CODE)


def create_with(ready: Ready, title: str, source: str) -> str:
    """A Python function with this code, ready to be called; its slug. Raises NotRun when it is not taken."""
    settings = {"name": title, "execution_mode": "app", "category": "data_processing", "environment": "python"}
    made = _post(ready, "/api/apps/bench/functions/", {**settings, "is_active": True})
    code = {"version": "1.0.0", "code": source, "is_active": True}
    _post(ready, f"/api/functions/{made['slug']}/code/", code)
    return str(made["slug"])


def id_of(ready: Ready, slug: str) -> int:
    """The number of a function."""
    request = urllib.request.Request(
        f"{ready.url.rstrip('/')}/api/functions/{slug}/", headers={"Authorization": f"Bearer {ready.token}"}
    )
    with urllib.request.urlopen(request, timeout=CALL_S) as answer:
        return int(msgspec.json.decode(answer.read())["id"])


def create_proxy(ready: Ready, title: str, url: str, *, timeout: int) -> str:
    """A PROXY function for this webhook, ready to be called; its slug. Raises NotRun when it is not taken."""
    settings = {"name": title, "execution_mode": "proxy", "webhook_url": url, "config": {"timeout": timeout}}
    return str(_post(ready, "/api/apps/bench/functions/", settings)["slug"])


def deploy(ready: Ready, title: str, code: str) -> str:
    """A JavaScript function, ready to be called over HTTP; its address. Raises NotRun when it is not taken."""
    _post(ready, "/v1/bench/functions", {"name": title, "code": code})
    return f"{ready.url.rstrip('/')}/v1/bench/fn/{title}"


def deploy_triggered(ready: Ready, title: str, code: str, trigger: dict[str, Any]) -> dict[str, Any]:
    """A Python function with this trigger; what its deployment answers. Raises NotRun when it is not taken."""
    settings = {"name": title, "code": code, "runtime": "python", "triggers": [trigger]}
    return _post(ready, "/v1/bench/functions", settings)


def _post(ready: Ready, path: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ready.token}", "Content-Type": "application/json"}
    url = ready.url.rstrip("/") + path
    request = urllib.request.Request(url, data=msgspec.json.encode(body), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=CALL_S) as answer:
            return dict(msgspec.json.decode(answer.read()))
    except urllib.error.HTTPError as error:
        raise NotRun(f"POST {path} answered {error.code} {error.read()[:300].decode(errors='replace')}") from None
    except OSError as error:
        raise NotRun(f"POST {path}: {error}") from None
