"""Rebuilding the record: the recorder is made to read both streams from their beginning, and its progress is awaited.

What is on record stays, what is missing comes; what is read again changes nothing, and counts nowhere twice.
"""

import asyncio
import time

from shared.audit.passes import Told
from shared.bus import scan, streams
from shared.bus.broker import Bus
from shared.store import checkpoints, milestones
from shared.store.client import Store

_LOOK_S = 0.25
_LOGS = (streams.INVOKE, streams.EVENTS)


async def rebuild(bus: Bus, store: Store, *, wait_s: float, told: Told) -> bool:
    """Have the record written anew; whether it is. False when no recorder has made a step for `wait_s`.

    Then it is done by the next one that starts. Raises Problem(unavailable).
    """
    held = {name: await scan.state(bus, name) for name in _LOGS}
    wanted = {name: one.last if one.messages else 0 for name, one in held.items()}
    await milestones.forget_all(store)
    await checkpoints.begin_anew(store, checkpoints.RECORDER)
    moved, before = time.monotonic(), -1
    while True:
        marks = await checkpoints.marks(store, checkpoints.RECORDER)
        done = {name: marks[name].sequence for name in _LOGS if name in marks}
        if len(done) == len(_LOGS) and all(done[name] >= wanted[name] for name in _LOGS):
            await milestones.forget_all(store)  # some may have been set while older records were to come
            return True
        count = sum(max(0, done.get(name, 0) - held[name].first + 1) for name in _LOGS)
        if count != before:
            moved, before = time.monotonic(), count
            told("messages recorded", count)
        elif time.monotonic() - moved > wait_s:
            return False
        await asyncio.sleep(_LOOK_S)
