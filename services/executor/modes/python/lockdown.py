"""What a worker gives up before it sees a tenant's code."""

import os
import resource

import msgspec

MEGABYTE = 1 << 20


class ProcessLimits(msgspec.Struct, frozen=True):
    """Kernel limits of one worker. Counts and bytes; the memory limit is not here, as a spare does not know it yet."""

    open_files: int = 4
    processes: int = 0
    file_bytes: int = 0
    core_bytes: int = 0
    locked_bytes: int = 0
    queue_bytes: int = 0
    niceness: int = 10


def lock_down(limits: ProcessLimits) -> None:
    """Give up, for good, everything a function has no need of. Raises OSError where the kernel refuses."""
    os.nice(limits.niceness)  # the executor itself must stay prompt while functions compute
    for kind, bound in (
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, limits.core_bytes),
        (resource.RLIMIT_MEMLOCK, limits.locked_bytes),
        (resource.RLIMIT_MSGQUEUE, limits.queue_bytes),
        # Last: from here on no file can be opened.
        (resource.RLIMIT_NOFILE, limits.open_files),
    ):
        resource.setrlimit(kind, (bound, bound))


def limit_memory(start_bytes: int, memory_mb: int) -> None:
    """Let the address space grow by `memory_mb` over what was mapped at the start of the worker."""
    bound = start_bytes + memory_mb * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
