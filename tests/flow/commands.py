"""Commands as the tests of the bus send them, and the bounds of their streams."""

import time

import msgspec

from shared.bus.messages import Invoke
from shared.bus.streams import Bounds

BOUNDS = Bounds(
    replicas=1,
    invoke_age_s=3600,
    invoke_bytes=1 << 28,
    event_age_s=3600,
    event_bytes=1 << 28,
    dedupe_s=60,
    delivery_age_s=3600,
    deliveries=100_000,
    idempotency_s=3600,
    idempotency_keys=100_000,
    dead_age_s=3600,
    dead_per_function=5,
)


def command(task_id: str, tenant: str = "acme") -> Invoke:
    return Invoke(
        task_id=task_id,
        tenant=tenant,
        function="f",
        function_id=1,
        function_name="F",
        revision=1,
        params=msgspec.Raw(b"{}"),
        trigger_type="api",
        user=None,
        accepted_at=time.time(),
    )
