"""`shoal up` as a user has it: a child process, told by signals, watched from outside."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors
import pytest

ROOT = Path(__file__).resolve().parents[1]
START_S = 60.0
STOP_S = 10.0
LOG_BYTES = 1 << 24  # what may be said before somebody reads; a full pipe would hold up whoever writes
SERVICES = {"api", "router", "executor", "recorder", "scheduler", "triggers"}


class Up:
    """One `shoal up`. All it starts inherits a mark in the environment, by which they are found."""

    def __init__(self, data_dir: Path, *, port: int = 0, **environ: str) -> None:
        self.data_dir = data_dir
        self.mark = f"MARK_{uuid.uuid4().hex}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
        inherited.pop("NATS_URL", None)
        inherited.pop("MONGODB_URL", None)
        self._environ = {**inherited, **environ, self.mark: "1"}
        self._argv = [sys.executable, "-m", "cli", "up", "--port", str(port), "--data-dir", str(data_dir)]

    async def __aenter__(self) -> "Up":
        self.process = await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._environ,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LOG_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            await self.end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "ready.json").read_text())

    async def until(self, *texts: str) -> str:
        """The first line of its log that holds the texts."""
        reader = self.process.stderr
        assert reader is not None
        async with asyncio.timeout(START_S):
            while line := (await reader.readline()).decode():
                if all(text in line for text in texts):
                    return line
        pytest.fail(f"{texts!r} was never said")

    async def end(self, how: signal.Signals) -> int:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(START_S):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode

    async def refusal(self) -> str:
        """What it said instead of starting."""
        async with asyncio.timeout(START_S):
            _, errors = await self.process.communicate()
        assert self.process.returncode == 1
        assert not (self.data_dir / "ready.json").exists()
        return errors.decode()

    def left(self) -> list[str]:
        """Command lines of processes that are still there: all but the functions', which inherit no environment."""
        return [line for pid in Path("/proc").iterdir() if pid.name.isdigit() and (line := self._marked(pid))]

    def _marked(self, process: Path) -> str:
        with contextlib.suppress(OSError):
            if self.mark.encode() in (process / "environ").read_bytes():
                return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return ""


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    async with Up(tmp_path_factory.mktemp("up") / "data") as up:
        await up.until('"action": "up"')
        yield up


async def get(url: str, body: dict[str, Any] | None = None, *, token: str = "") -> tuple[int, bytes]:
    """Plain sockets: nothing here may depend on what is tested. With a body it is a POST."""
    sent = json.dumps(body).encode() if body is not None else b""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    async with asyncio.timeout(START_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"{'GET' if body is None else 'POST'} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        )
        writer.write(head.encode() + sent)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_ready_json_says_what_runs_and_where(running: Up):
    facts = running.ready()
    assert facts["pid"] == running.pid
    assert set(facts["services"]) == SERVICES
    assert facts["token"] == (running.data_dir / "admin.token").read_text().strip()
    assert facts["token"].startswith("shoal_")
    assert (running.data_dir / "admin.token").stat().st_mode & 0o777 == 0o600
    assert (running.data_dir / "ready.json").stat().st_mode & 0o777 == 0o600
    for secret in ("nats", "nats/nats.conf", "nats/password", "mongodb", "mongodb/key", "mongodb/password"):
        assert (running.data_dir / secret).stat().st_mode & 0o077 == 0, secret
    for service in facts["services"].values():
        os.kill(service["pid"], 0)
        status, _ = await get(service["metrics"])
        assert status == 200
    status, _ = await get(facts["url"] + "/")
    assert status < 500


async def test_prometheus_json_says_whom_to_scrape(running: Up):
    path = running.data_dir / "prometheus.json"
    named = {each["labels"]["service"]: each["targets"] for each in json.loads(path.read_text())}
    services = running.ready()["services"]
    assert named == {name: [services[name]["metrics"].split("/")[2]] for name in SERVICES}
    assert path.stat().st_mode & 0o777 == 0o600


async def test_who_has_no_password_gets_nothing_from_the_servers(running: Up):
    """Any user of the machine can reach the ports."""
    facts = running.ready()
    bus, store = (address.partition("@")[2] for address in (facts["nats"], facts["mongodb"]))
    host, _, port = bus.partition(":")
    async with asyncio.timeout(START_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b'CONNECT {"verbose":false}\r\nPUB x 0\r\n\r\nPING\r\n')
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert said.rstrip().endswith(b"-ERR 'Authorization Violation'")
    with pymongo.MongoClient(f"mongodb://{store.partition('/')[0]}/", directConnection=True) as client:
        with pytest.raises(pymongo.errors.OperationFailure, match="requires authentication"):
            client["shoal"]["tokens"].find_one()
        with pytest.raises(pymongo.errors.OperationFailure, match="requires authentication"):
            client["admin"].command("createUser", "guest", pwd="guest", roles=["root"])


async def test_a_data_folder_has_one_user(running: Up):
    async with Up(running.data_dir) as second:
        assert running.ready()
        async with asyncio.timeout(START_S):
            _, errors = await second.process.communicate()
    assert second.process.returncode == 1
    assert errors.decode() == f"shoal: data folder {running.data_dir} is in use by pid {running.pid}\n"
    assert running.ready()


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_a_killed_service_is_started_again(running: Up, service: str):
    before = running.ready()["services"][service]
    os.kill(before["pid"], signal.SIGKILL)
    line = json.loads(await running.until('"a child is started again"', f'"pid": {before["pid"]}'))
    assert (line["service"], line["child"], line["why"]) == ("up", service, "was ended by SIGKILL")
    assert line["pause_s"] < 1
    # The question waits in the socket's queue until the new process takes it.
    status, _ = await get(before["metrics"])
    assert status == 200
    after = running.ready()["services"][service]
    assert after["pid"] != before["pid"]
    assert after["metrics"] == before["metrics"]
    os.kill(after["pid"], 0)


@pytest.mark.parametrize("server", ["nats-server", "mongod"])
async def test_a_killed_server_is_started_again_where_it_was(running: Up, server: str):
    before = running.ready()
    os.kill(before["servers"][server]["pid"], signal.SIGKILL)
    killed = before["servers"][server]["pid"]
    await running.until('"a child is started again"', f'"pid": {killed}', "was ended by SIGKILL")
    facts = await _changed(running, before)
    assert facts["nats"] == before["nats"]
    assert facts["mongodb"] == before["mongodb"]


async def _changed(up: Up, before: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(START_S):
        while (facts := up.ready()) == before:  # a file tells nobody that it was replaced
            await asyncio.sleep(0.02)
    return facts


async def test_what_is_kept_is_found_again_after_an_orderly_end_and_after_a_kill(tmp_path: Path):
    data_dir = tmp_path / "data"
    facts: list[dict[str, Any]] = []
    for how, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
        async with Up(data_dir) as up:
            await up.until('"action": "up"')
            facts.append(up.ready())
            async with asyncio.timeout(STOP_S):
                assert await up.end(how) == code
            if how != signal.SIGKILL:
                assert up.left() == []
                assert not (data_dir / "ready.json").exists()
                assert not (data_dir / "prometheus.json").exists()
    assert len({each["token"] for each in facts}) == 1
    assert len({each["mongodb"] for each in facts}) == 1


async def test_a_second_signal_ends_everything_at_once(tmp_path: Path):
    async with Up(tmp_path / "data") as up:
        await up.until('"action": "up"')
        up.process.send_signal(signal.SIGTERM)
        await up.until('"action": "stopping"')
        async with asyncio.timeout(STOP_S):
            assert await up.end(signal.SIGTERM) in {0, 1}  # 0 when it was done before the second came
        assert up.left() == []


async def test_a_signal_while_starting_is_an_orderly_end(tmp_path: Path):
    async with Up(tmp_path / "data") as up:
        await up.until('"action": "starting"')
        async with asyncio.timeout(STOP_S):
            assert await up.end(signal.SIGTERM) == 0
        assert up.left() == []


async def test_a_port_in_use_is_said_at_once(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Up(tmp_path / "data", port=port) as up:
            expected = f"shoal: port {port} is in use: choose another with --port, or --port 0 for any free one\n"
            assert await up.refusal() == expected
            assert up.left() == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SHOAL_MONGOD", "/nowhere/mongod", "mongod not found at /nowhere/mongod"),
        ("SHOAL_WORKERS", "many", "--workers (SHOAL_WORKERS) must be a whole number from 1 to 1024, got 'many'"),
        ("SHOAL_WORKRES", "4", "SHOAL_WORKRES is not a setting of Shoal"),
        ("SHOAL_LEASE_S", "long", "SHOAL_LEASE_S"),
        ("SHOAL_DRAIN_S", "3600", "SHOAL_DRAIN_S"),
    ],
)
async def test_a_wrong_setting_is_one_line(tmp_path: Path, name: str, value: str, said: str):
    async with Up(tmp_path / "data", **{name: value}) as up:
        errors = await up.refusal()
    assert said in errors
    assert errors.count("\n") == 1
    assert up.left() == []


async def test_a_service_that_refuses_its_settings_ends_the_start(tmp_path: Path):
    async with Up(tmp_path / "data", SHOAL_EXECUTOR_SLOTZ="4") as up:
        errors = await up.refusal()
    assert "SHOAL_EXECUTOR_SLOTZ is not a setting of Shoal" in errors
    assert up.left() == []


async def test_a_data_folder_that_cannot_be_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    async with Up(tmp_path / "file" / "data") as up:
        async with asyncio.timeout(START_S):
            _, errors = await up.process.communicate()
        assert errors.decode().startswith(f"shoal: data folder {tmp_path / 'file' / 'data'} cannot be used: ")
        assert errors.count(b"\n") == 1
