"""Limits for tests: small ones, each changed by its name."""

from typing import Any

import msgspec

from shared.domain.limits import Bounds, Limits

SMALL = Limits(
    timeout_s=10,
    cpu_s=10,
    memory_mb=64,
    output_bytes=2000,
    log_lines=20,
    result_bytes=100_000,
    params_bytes=1 << 20,
)
PLATFORM = Bounds(
    default=SMALL,
    most=Limits(
        timeout_s=300,
        cpu_s=300,
        memory_mb=1024,
        output_bytes=65_536,
        log_lines=1000,
        result_bytes=1 << 20,
        params_bytes=1 << 20,
    ),
)


def limits(**changes: Any) -> Limits:
    """`SMALL` with these changes; the CPU may be used for as long as the call may run, unless it is said otherwise."""
    if "timeout_s" in changes:
        changes.setdefault("cpu_s", changes["timeout_s"])
    return msgspec.structs.replace(SMALL, **changes)
