"""Servers of the same handler that do nothing else: no accounts, no queue, no record, no limits."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import deno
import msgspec

from bench.contenders.contender import HttpTarget
from bench.javascript import hello
from bench.processes import NotRun, child, tail
from bench.procfs import Processes, descendants

WORKERD = "workerd@1.20261117.1"
_INSTALL_S = 120.0
_READY_S = 10.0
_SERVED = "\nexport default { fetch: handler };\n"
_CONFIG = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .hello)],
  sockets = [(name = "http", address = "127.0.0.1:%d", http = (), service = "main")]
);
const hello :Workerd.Worker = (
  modules = [(name = "hello.js", esModule = embed "hello.js")],
  compatibilityDate = "2026-11-01"
);
"""


class Peer(msgspec.Struct, frozen=True):
    """A running one."""

    name: str
    target: HttpTarget
    pid: int

    def processes(self) -> Processes:
        """Its processes by label."""
        return {self.name: [self.pid, *descendants(self.pid)]}


@asynccontextmanager
async def deno_serve(folder: Path) -> AsyncIterator[Peer]:
    """`deno serve` of the wheel that Shoal uses."""
    source, port = _source(folder), _free_port()
    flags = ["--host", "127.0.0.1", "--port", str(port), "--no-config", "--no-lock", "--no-remote", "--no-npm"]
    command = [str(deno.find_deno_bin()), "serve", "--quiet", *flags, str(source)]
    async with _serving("deno serve", command, folder, port) as peer:
        yield peer


@asynccontextmanager
async def workerd(folder: Path) -> AsyncIterator[Peer]:
    """Cloudflare's runtime, installed by npm for the length of the run. NotRun where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotRun("workerd needs npm to be installed")
    install = [npm, "install", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(folder), WORKERD]
    process = await asyncio.create_subprocess_exec(
        *install, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _INSTALL_S)
    except TimeoutError:
        process.kill()
        raise NotRun("npm took too long to install workerd") from None
    binary = await asyncio.to_thread(_binary, folder)
    if binary is None:
        raise NotRun(f"npm did not install workerd: {said.decode(errors='replace')[-200:]}")
    _source(folder)
    port = _free_port()
    config = folder / "config.capnp"
    config.write_text(_CONFIG % port)
    async with _serving("workerd", [str(binary), "serve", str(config)], folder, port) as peer:
        yield peer


def _binary(folder: Path) -> Path | None:
    return next(folder.glob("node_modules/@cloudflare/workerd-*/bin/workerd"), None)


def _source(folder: Path) -> Path:
    source = folder / "hello.js"
    source.write_text(hello.CODE.replace("export default ", "") + _SERVED)
    return source


@asynccontextmanager
async def _serving(name: str, command: list[str], folder: Path, port: int) -> AsyncIterator[Peer]:
    log = folder / "log"
    async with child(name, command, log=log) as process:
        end = time.monotonic() + _READY_S
        while not await _answers(port):
            if time.monotonic() > end:
                raise NotRun(f"{name} did not answer: {tail(log)}")
            await asyncio.sleep(0.02)
        yield Peer(name, HttpTarget(url=f"http://127.0.0.1:{port}/"), process.pid)


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
