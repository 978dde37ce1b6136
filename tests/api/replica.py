"""A second API process beside a running platform, on the same bus and the same store."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.platform import ROOT, Platform

STOP_S = 20.0


@asynccontextmanager
async def replica(platform: Platform, **settings: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Its address, and the process."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    environ |= {
        "NATS_URL": platform.ready["nats"],
        "MONGODB_URL": platform.ready["mongodb"],
        "SHOAL_ADMIN_TOKEN": platform.token,
        "SHOAL_SECRET_KEY_FILE": str(platform.data_dir / "secret.key"),
        "SHOAL_API_RATE_LIMITS": "false",
        **settings,
    }
    with socket.create_server(("127.0.0.1", 0)) as door, platform.log.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.api", cwd=ROOT, stdout=log, stderr=log, pass_fds=[door.fileno()],
            env=environ | {"SHOAL_API_FD": str(door.fileno())},
        )  # fmt: skip
        address = f"http://127.0.0.1:{door.getsockname()[1]}"
    try:
        yield address, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
