"""A disk that was full: nats-server refuses to write to a stream from its first failed write on, until it is restarted.

Measured with 2.15.1: with room again, it goes on refusing. MongoDB's server ends by itself and is started again.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from shared import log_lines

_LOOK_S = 1.0
_log = log_lines.logger("disk")
LEAST_BYTES = 64 << 20
"""With less than this a disk is as good as full: a message may have 12 MiB."""


def free_bytes(folder: Path) -> int:
    """What may still be written beneath a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def watch(free: Callable[[], int], renew: Callable[[], Awaitable[None]], *, every_s: float = _LOOK_S) -> None:
    """Have the bus started anew whenever there is room again after there was none; until cancelled."""
    full = False
    while True:
        left = free()
        if left < LEAST_BYTES and not full:
            full = True
            _log.error("the disk is full", left_mib=left >> 20)
        elif left >= 2 * LEAST_BYTES and full:
            _log.info("there is room on the disk again")
            await renew()
            full = False
        await asyncio.sleep(every_s)
