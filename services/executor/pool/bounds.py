"""How many worker processes an executor may have, and how long it keeps them."""

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`processes`, one tenant's share of them, and their memory (0: three quarters of the machine's): of all modes."""

    processes: int = 64
    processes_per_tenant: int = 32
    memory_mb: int = 0
    idle_s: float = 120.0
    recycle_calls: int = 1000
    # A worker whose memory has grown past this share of its limit is replaced after the call.
    recycle_memory_share: float = 0.8
    # How long a call may wait for a place among the workers before it is handed back.
    place_timeout_s: float = 30.0
