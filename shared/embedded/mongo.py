"""mongod, as a replica set of one."""

import sys
from pathlib import Path

from shared.embedded import binaries
from shared.embedded.process import EmbeddedError, end, spawn
from shared.embedded.server import LOOPBACK, Server


class Mongo(Server):
    """A replica set of one, for transactions and change streams. `cache_gb`: WiredTiger's cache, at least 0.25."""

    name = "mongod"

    def __init__(
        self, folder: Path, *, port: int = 0, cache_gb: float = 0.25, binary: str | Path | None = None
    ) -> None:
        super().__init__(folder, port=port)
        self.url = f"mongodb://{LOOPBACK}:{self.port}/?replicaSet=shoal"
        self._cache_gb = cache_gb
        self._binary = binaries.mongod(binary)

    def _prepare(self) -> list[str | Path]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            *(binaries.runnable(self._binary, copy_to=self.folder), "--quiet", "--nounixsocket", "--noscripting"),
            *("--bind_ip", LOOPBACK, "--port", str(self.port), "--replSet", "shoal", "--oplogSize", "256"),
            *("--dbpath", data, "--logpath", self._log, "--logappend"),
            *("--wiredTigerCacheSizeGB", str(self._cache_gb)),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # Its clients are ours and have been stopped before it: 15 s of courtesy to them, the default, serve nobody.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]

    async def _answers(self) -> None:
        direct = f"mongodb://{LOOPBACK}:{self.port}/?directConnection=true"
        argv = [sys.executable, "-m", "shared.store.initiate", direct]
        initiate = await spawn(argv, output=None)
        try:
            code = await initiate.wait()
        finally:
            if initiate.returncode is None:
                await end(initiate, within_s=0.0)
        if code:
            raise EmbeddedError(f"mongod on port {self.port} could not be made a replica set (code {code})")
