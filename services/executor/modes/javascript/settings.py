"""The settings of the JavaScript mode."""

import msgspec


class JavascriptSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many processes there may be, how long they live, and what a call may ask of its surroundings."""

    # Calls that run side by side.
    slots: int = 4
    max_workers: int = 64
    max_workers_per_tenant: int = 32
    # Of all workers together; 0: three quarters of what the machine has.
    memory_mb: int = 0
    idle_s: float = 120.0
    recycle_calls: int = 1000
    # A worker whose memory has grown past this share of its limit is replaced after the call.
    recycle_memory_share: float = 0.8
    # How long a call may wait for a place among the workers before it is handed back.
    place_timeout_s: float = 30.0
    # From the start of a process until it listens.
    launch_timeout_s: float = 10.0
    # For what a handler has given to ctx.waitUntil, after its answer.
    wait_until_s: float = 30.0
    prepare_timeout_s: float = 10.0
    prepare_memory_mb: int = 256
    prepare_slots: int = 2
    # A net behind the API's own bound, SHOAL_API_CODE_BYTES.
    max_source_bytes: int = 4 << 20
    # Of one answer, all lines together; and of what a function asks the platform at one time.
    header_bytes: int = 64 << 10
    most_asks: int = 32
    # CPU time that a worker may use within a second while nobody calls it.
    idle_cpu_s: float = 0.2
