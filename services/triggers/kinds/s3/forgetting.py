"""What was seen of buckets by sources that are gone is removed, by whichever process comes to it first."""

import asyncio
import random

from shared import telemetry
from shared.domain.problem import Problem
from shared.store import event_sources
from shared.store.client import Store
from shared.store.objects_seen import ObjectsSeen, seen_by

_EVERY_S = 900.0
_log = telemetry.logger("s3")


async def keep_forgetting(store: Store) -> None:
    """Look now and then; a source may have seen millions of objects, so its deletion does not wait for it."""
    while True:
        await asyncio.sleep(_EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        try:
            await forget_gone(store)
        except Problem as problem:
            _log.warning("what was seen cannot be forgotten", reason=problem.message)


async def forget_gone(store: Store) -> None:
    """Remove what sources have seen that are not there any more. Raises Problem(unavailable)."""
    async for tenant, source_id in seen_by(store):
        if await event_sources.find(store, (tenant, source_id)) is None:
            await ObjectsSeen(store, tenant=tenant, source_id=source_id).forget_all()
