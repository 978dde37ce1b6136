"""A platform with a function that every upload sets off, and a look from inside at what was asked for and what ran."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from shared.bus import broker, streams
from shared.bus.broker import Bus
from shared.store.client import Store
from shared.store.objects_seen import ObjectsSeen
from tests.platform import Platform
from tests.s3.shoal import APP, Uploads, shoal

BUCKET = "storm"
_MOST = 1_000_000
_EVERY_S = 0.1
_TIMEOUT_S = 20.0


class Storm:
    """One platform; `within_s` bounds each wait."""

    def __init__(self, platform: Platform, uploads: Uploads, *, store: Store, bus: Bus, within_s: float) -> None:
        self.platform = platform
        self.uploads = uploads
        self._store = store
        self._bus = bus
        self._within_s = within_s

    async def seen(self, public_id: str) -> ObjectsSeen:
        """What a source has seen in its buckets."""
        source = await self._store.global_one("event_sources", {"public_id": public_id})
        assert source is not None
        return ObjectsSeen(self._store, tenant=source["tenant"], source_id=source["id"])

    async def commands(self) -> int:
        """How many runs were ever asked for."""
        return (await self._bus.stream.stream_info(streams.INVOKE)).state.messages

    async def recorded(self) -> int:
        """How many runs are on record with their end."""
        return await self._store.global_count("invocations", {"status": "SUCCESS"})

    async def until(self, what: str, come: Callable[[], Awaitable[bool]]) -> None:
        """Wait until it is so."""
        try:
            async with asyncio.timeout(self._within_s):
                while not await come():
                    await asyncio.sleep(_EVERY_S)
        except TimeoutError:
            facts = f"{await self.commands()} runs asked for, {await self.recorded()} on record"
            log = self.platform.log.read_text()[-3000:]
            raise AssertionError(f"not in {self._within_s} s: {what}; {facts}\n{log}") from None

    async def keys(self) -> Counter[str]:
        """How often each key's upload is on record, whatever came of it."""
        found = await self._store.global_many("invocations", {}, limit=_MOST, fields=["params"])
        return Counter(json.loads(document["params"])["key"] for document in found)

    async def kill(self) -> None:
        """kill -9 of the triggers service; returns when another one answers."""
        dead = self.platform.kill("triggers")
        await self.platform.restarted("triggers", dead)


@asynccontextmanager
async def storm(folder: Path, *, within_s: float) -> AsyncIterator[Storm]:
    """The platform with the function, deployed and active."""
    async with shoal(folder) as platform, platform.client() as client:
        triggers = [{"type": "s3_upload", "config": {"bucket": BUCKET}}]
        code = "def main(params): return None"
        body = {"name": "landed", "runtime": "python", "code": code, "triggers": triggers}
        answer = await client.post(f"/v1/{APP}/functions", json=body)
        assert answer.status_code == 200, answer.text
        store = Store(platform.ready["mongodb"], database="shoal", timeout_s=_TIMEOUT_S)
        try:
            async with broker.connect(platform.ready["nats"], name="storm", timeout_s=_TIMEOUT_S) as bus:
                yield Storm(platform, Uploads(platform, client), store=store, bus=bus, within_s=within_s)
        finally:
            store.close()
