"""mongod, as a replica set of one."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from shared.embedded import binaries
from shared.embedded.process import EmbeddedError, end, spawn
from shared.embedded.secret import secret
from shared.embedded.server import LOOPBACK, USER, Server

_LOG_BYTES = 8 << 20
_LOG_CHECK_S = 60.0


class Mongo(Server):
    """A replica set of one, for transactions and change streams. `cache_gb`: WiredTiger's cache, at least 0.25."""

    name = "mongod"

    def __init__(
        self, folder: Path, *, port: int = 0, cache_gb: float = 0.25, binary: str | Path | None = None
    ) -> None:
        super().__init__(folder, port=port)
        self._key = self.folder / "key"
        self._password = self.folder / "password"
        secret(self._key)
        self.url = (
            f"mongodb://{USER}:{secret(self._password)}@{LOOPBACK}:{self.port}/?replicaSet=shoal&authSource=admin"
        )
        self._cache_gb = cache_gb
        self._binary = binaries.mongod(binary)

    def _prepare(self) -> list[str | Path]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            *(binaries.runnable(self._binary, copy_to=self.folder), "--quiet", "--nounixsocket", "--noscripting"),
            *("--bind_ip", LOOPBACK, "--port", str(self.port), "--replSet", "shoal", "--oplogSize", "256"),
            *("--dbpath", data, "--logpath", self._log, "--logappend", "--logRotate", "reopen"),
            # The members' key, of which this one is the only holder. Who is not a user yet has no way in: the first one
            # is made by whoever has the key.
            *("--keyFile", self._key, "--setParameter", "enableLocalhostAuthBypass=0"),
            *("--wiredTigerCacheSizeGB", str(self._cache_gb)),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # Its clients are ours and have been stopped before it: 15 s of courtesy to them, the default, serve nobody.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]

    async def _answers(self) -> None:
        # By files, because everybody on the machine can read a command line.
        files = [self._key, self._password]
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "shared.store.initiate",
            f"{LOOPBACK}:{self.port}",
            USER,
            *files,
        ]
        initiate = await spawn(argv, output=None)
        try:
            code = await initiate.wait()
        finally:
            if initiate.returncode is None:
                await end(initiate, within_s=0.0)
        if code:
            raise EmbeddedError(f"mongod on port {self.port} could not be made a replica set (code {code})")

    async def _tend(self, process: asyncio.subprocess.Process) -> None:
        """mongod's log has no bound of its own: it is moved aside when it has grown, and mongod begins another."""
        while True:
            try:
                await asyncio.wait_for(process.wait(), _LOG_CHECK_S)
            except TimeoutError:
                if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
                    self._put_log_aside()
                    os.kill(process.pid, signal.SIGUSR1)
            else:
                return
