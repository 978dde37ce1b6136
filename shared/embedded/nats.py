"""nats-server, with JetStream."""

import asyncio
import contextlib
import os
from pathlib import Path

from shared.embedded import binaries
from shared.embedded.secret import secret, write_private
from shared.embedded.server import LOOPBACK, USER, Server

MAX_PAYLOAD_BYTES = 12 * 1024 * 1024
# What may wait for one connection before the server closes it: a service has answers of some MB each come in side by
# side, and with the server's own bound, 64 MB, a dozen of them that it has not read yet would cut it off.
MAX_PENDING_BYTES = 256 * 1024 * 1024


class Nats(Server):
    """`sync_interval`: how often JetStream syncs its files, e.g. "2m", or "always" before every acknowledgement."""

    name = "nats-server"
    server_name = "shoal"

    def __init__(
        self, folder: Path, *, port: int = 0, sync_interval: str = "2m", binary: str | Path | None = None
    ) -> None:
        super().__init__(folder, port=port)
        self._password = secret(self.folder / "password")
        self.url = f"nats://{USER}:{self._password}@{LOOPBACK}:{self.port}"
        self._sync_interval = sync_interval
        self._binary = binaries.nats_server(binary)

    def _prepare(self) -> list[str | Path]:
        config = self.folder / "nats.conf"
        write_private(config, self._config())
        return [binaries.runnable(self._binary, copy_to=self.folder), "-c", config]

    def _config(self) -> str:
        return (
            f"server_name: {self.server_name}\n"
            f"listen: {LOOPBACK}:{self.port}\n"
            f"max_payload: {MAX_PAYLOAD_BYTES}\n"
            f"max_pending: {MAX_PENDING_BYTES}\n"
            # Quoted, for else a password of digits would be a number.
            f'authorization {{ user: {USER}, password: "{self._password}" }}\n'
            f"log_file: {_quoted(self._log)}\n"
            f"logfile_size_limit: 8MB\n"
            f"logfile_max_num: 2\n"
            f"jetstream {{\n"
            f"  store_dir: {_quoted(self.folder / 'jetstream')}\n"
            f'  sync_interval: "{self._sync_interval}"\n'
            f"}}\n"
        )

    def _environ(self) -> dict[str, str]:
        # It shares the machine with everything else: its idle threads would spin on the cores that others need.
        return {"GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2)), **os.environ}

    async def _answers(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
                try:
                    if (await reader.readline()).startswith(b"INFO "):
                        return
                finally:
                    writer.close()
            # A listening port announces itself to nobody: it has to be tried.
            await asyncio.sleep(0.02)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
