"""The two nodes of deploy/two-nodes, for a test: started, asked from within their network, ended whatever happens."""

import asyncio
import ctypes
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "two-nodes" / "nodes.sh"
_PAGE = (ROOT / "docs" / "scaling.md").read_text()
STEPS = re.findall(
    r"```sh\n(.*?)```", _PAGE.partition("## Two nodes on this machine")[2].partition("\n## ")[0], re.DOTALL
)
UP, DEPLOY, LOSE, RESTORE, DOWN = range(len(STEPS))
ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}
ASK_S = 30.0
STEP_S = 150.0
_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# Room on the disk is set aside three times over. A lease is longer than the bus takes to choose anew who leads.
SETTINGS = {
    "SHOAL_INVOKE_BYTES": str(1 << 30),
    "SHOAL_EVENT_BYTES": str(2 << 30),
    "SHOAL_LEASE_S": "12",
    "SHOAL_EXECUTOR_SLOTS": "4",
    "SHOAL_API_RATE_LIMITS": "false",
}


class Answer(NamedTuple):
    status: int
    body: Any


class Record(NamedTuple):
    """What the store has of an invocation. `executor` names its process."""

    task_id: str
    status: str
    executor: str

    @property
    def pid(self) -> int:
        return int(self.executor.split("-")[1]) if self.executor else 0


class Nodes:
    """The script, and callers within its network. All goes down with the process `until`: this one by default."""

    def __init__(self, folder: Path, *, until: int | None = None) -> None:
        self.name = f"shoal-{secrets.token_hex(3)}"
        self.folder = folder
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SHOAL_")}
        own = {"NODES_NAME": self.name, "NODES_DATA": str(folder), "PYTHON": sys.executable}
        own["NODES_UNTIL"] = str(os.getpid() if until is None else until)
        self._environ = {**inherited, **SETTINGS, **own}

    async def walk(self, step: int) -> str:
        """The commands of one step of the documentation's walk-through; what they say."""
        return await self._started("bash", "-euo", "pipefail", "-c", STEPS[step])

    async def run(self, *arguments: str) -> str:
        """A command of the script; what it says."""
        return await self._started(str(SCRIPT), *arguments)

    async def _started(self, *argv: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=ROOT, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), STEP_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"{' '.join(argv)}: {said.decode()[-3000:]}\n{self._last_words()}"
        return said.decode()

    async def ask(self, node: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A request at the node's API, with the operator's token. Raises OSError."""
        return await asyncio.to_thread(self._ask, node, method, path, body=body, headers=headers)

    async def records(self, slug: str) -> list[Record]:
        """All invocations of a function, as the store has them."""
        said = await self.run(
            "in", "net", sys.executable, str(Path(__file__).with_name("records.py")), self._store, slug
        )
        return [Record(*row) for row in json.loads(said)]

    async def pids(self, node: str) -> set[int]:
        """The processes on a node."""
        said = await asyncio.to_thread(
            subprocess.check_output, ["ip", "netns", "pids", f"{self.name}-{node}"], text=True
        )
        return {int(word) for word in said.split()}

    @property
    def _store(self) -> str:
        password = (self.folder / "secrets" / "mongodb").read_text()
        hosts = ",".join(f"10.77.0.{number}:27017" for number in (1, 2, 3))
        return f"mongodb://shoal:{password}@{hosts}/?replicaSet=shoal&authSource=admin"

    def _ask(self, node: str, method: str, path: str, *, body: Any, headers: dict[str, str]) -> Answer:
        token = (self.folder / "secrets" / "token").read_text()
        own = {"Authorization": f"Bearer shoal_{token}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(ADDRESSES[node], timeout=ASK_S)
        connection.sock = connected(f"{self.name}-net", (ADDRESSES[node], 8000))
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=own | given)
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, json.loads(text) if text[:1] in b"{[" else text.decode())
        except http.client.HTTPException as error:
            raise OSError(f"{node} gave no answer") from error
        finally:
            connection.close()

    def _last_words(self) -> str:
        logs = sorted(self.folder.glob("?/*.log"))
        return "\n".join(f"{path}: {path.read_text(errors='replace')[-500:]}" for path in logs)


def connected(namespace: str, address: tuple[str, int]) -> socket.socket:
    """A connection made within a network namespace; the socket stays in it, this thread does not. Raises OSError."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(theirs)
        try:
            return socket.create_connection(address, timeout=ASK_S)
        finally:
            _enter(own)
    finally:
        os.close(own)
        os.close(theirs)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def require_namespaces() -> None:
    """Fail where `ip` is missing, skip where the kernel lets us make no networks."""
    if shutil.which("ip") is None:
        pytest.fail("`ip` is missing, with which the nodes' networks are made: apt-get install iproute2")
    name = f"shoal-{secrets.token_hex(3)}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no network namespaces can be made here (that takes CAP_SYS_ADMIN): {made.stderr.strip()}")
    bridge = ["ip", "-n", name, "link", "add", "name", "br0", "type", "bridge"]
    linked = subprocess.run(bridge, capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", name], check=True)
    if linked.returncode:
        pytest.skip(f"no bridge can be made here (CAP_NET_ADMIN, and a kernel that has them): {linked.stderr.strip()}")


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Nodes]:
    """Both nodes, ready; nothing of them is left behind, however it ends."""
    nodes = Nodes(folder)
    try:
        await nodes.walk(UP)
        yield nodes
        await nodes.walk(DOWN)
    finally:
        await nodes.run("down")
