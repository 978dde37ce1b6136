"""What the tests of schedules share: functions and plans made in bulk, and a scheduler as a process of its own."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import nats

from services.scheduler.plans import set_plan
from shared.bus.broker import Bus
from shared.domain.function import ActiveVersion, Function
from shared.store.client import Store
from tests.platform import ROOT

TENANT = "default"
RARELY = "0 0 29 2 *"


def function(id: int, **fields: Any) -> Function:
    """A scheduled function with code that nobody has: its runs are submitted, and fail."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "tenant": TENANT, "app": 1, "app_slug": "cron", "app_name": "Cron", "name": f"F {id}", "slug": f"f-{id}",
        "execution_mode": "app", "schedule_enabled": True, "cron_expression": RARELY, "created_at": now,
        "updated_at": now, "active": ActiveVersion(id=id, version="1", code_hash="0" * 64),
    }  # fmt: skip
    return Function(id=id, **(values | fields))


async def planned(bus: Bus, store: Store, one: Function, *, due: int) -> None:
    """Store a function with the plan that it is due at that moment, as a scheduler would have left it."""
    document = msgspec.to_builtins(one, builtin_types=(datetime,))
    await store.add_new("functions", [{**document, "schedule_due": due}])
    await set_plan(bus, one, due)  # unless the sweep has found it without one, and was faster


async def commands(url: str, slug: str = "*") -> dict[str, int]:
    """How many commands each function was given."""
    connection = await nats.connect(url)
    try:
        info = await connection.jetstream().stream_info("INVOKE", subjects_filter=f"invoke.*.{slug}")
        return dict(info.state.subjects or {})
    finally:
        await connection.close()


async def shown(client: httpx.AsyncClient, slug: str, *, ticks: int = 1, within_s: float = 30.0) -> dict[str, Any]:
    """The schedule of a function, when its ledger has so many entries."""
    async with asyncio.timeout(within_s):
        while True:
            answer = await client.get(f"/api/functions/{slug}/schedule/")
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if len(found["last_ticks"]) >= ticks:
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def scheduler(nats_url: str, mongodb_url: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A scheduler beside whatever runs already; it is killed at the end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    environ |= {"NATS_URL": nats_url, "MONGODB_URL": mongodb_url, "SHOAL_LOG_LEVEL": "warning", **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.scheduler", cwd=ROOT, env=environ, stdout=sys.stderr
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def soon(seconds: float) -> int:
    """A whole second, so far away at least."""
    return int(time.time() + seconds) + 1
