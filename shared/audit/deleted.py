"""What is not on record because its function, or its tenant, was deleted: nothing of that is missing."""

from typing import NamedTuple

import msgspec

from shared.audit.report import Finding
from shared.bus import scan, streams
from shared.bus.broker import Bus
from shared.bus.messages import Event, Invoke
from shared.store import deletions
from shared.store.client import Store


class Deleted(NamedTuple):
    """The functions and tenants that are gone, as they are noted."""

    bus: Bus
    functions: set[int]
    tenants: dict[str, float]

    @classmethod
    async def read(cls, bus: Bus, store: Store) -> "Deleted":
        """Those that are noted now. Raises Problem(unavailable)."""
        return cls(bus, await deletions.all_ids(store), await deletions.all_tenants(store))

    async def has(self, finding: Finding) -> bool:
        """Whether what is missing, or lost, is of one of them: its message says so. Raises Problem(unavailable)."""
        if finding.kind not in ("missing", "lost") or not (self.functions or finding.tenant in self.tenants):
            return False
        stream, sequence = (streams.EVENTS, finding.event) if finding.event else (streams.INVOKE, finding.command)
        found = await scan.message(self.bus, stream, sequence)
        return found is not None and self.is_of_one(found.data)

    def is_of_one(self, data: bytes) -> bool:
        """Whether a command or an end, as it is stored, is of one of them."""
        try:
            body: Invoke | Event = msgspec.json.decode(data, type=Invoke | Event)
        except msgspec.DecodeError:
            return False
        accepted = body.accepted_at if isinstance(body, Invoke) else body.timeline.accepted
        return body.function_id in self.functions or accepted < self.tenants.get(body.tenant, 0.0)
