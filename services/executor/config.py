"""The executor's settings."""

import os
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]


class Executor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes, seconds, counts.

    `slots` calls run side by side; `ahead` more (0: four times the slots) are held ready, so that a free slot never
    waits for the bus. One that got no slot within `slot_wait_s` is handed back, so that another executor may take it. A
    call that runs for longer than `notice_s` is announced as STARTED. `workers` bounds the warm worker processes,
    `workers_per_tenant` one tenant's share of them; a worker unused for `idle_s` is ended.
    """

    slots: Count = 2 * (os.cpu_count() or 1)
    ahead: Annotated[int, Meta(ge=0)] = 0
    slot_wait_s: Seconds = 2.0
    notice_s: Seconds = 0.1
    cache_bytes: Count = 64 << 20
    output_bytes: Count = 64 << 10
    workers: Count = 64
    workers_per_tenant: Count = 32
    idle_s: Seconds = 120.0

    @property
    def held_ready(self) -> int:
        """Dispatches held beyond the slots."""
        return self.ahead or 4 * self.slots
