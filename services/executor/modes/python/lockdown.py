"""What a worker gives up before it sees a tenant's code.

All of it is prepared in the zygote. A layer that is prepared must hold: where the kernel refuses it, the worker ends.
"""

import os
import resource

import msgspec

from services.executor.kernel import calls, landlock
from services.executor.kernel.bpf import Filter

MEGABYTE = 1 << 20
_NICENESS = 10  # the executor itself must stay prompt while functions compute


class ProcessLimits(msgspec.Struct, frozen=True):
    """Kernel limits of one worker. Counts and bytes; the memory limit is not here, as a spare does not know it yet."""

    open_files: int = 4
    processes: int = 0
    file_bytes: int = 0
    core_bytes: int = 0
    locked_bytes: int = 0
    queue_bytes: int = 0


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker puts on. None: this machine does not have it, or it was left out."""

    limits: ProcessLimits | None = ProcessLimits()
    ruleset_fd: int | None = None
    filter: Filter | None = None


def lock_down(layers: Layers, *, first_fd: int) -> None:
    """Give up, for good, everything a function has no need of, and every descriptor from `first_fd` on."""
    os.nice(_NICENESS)
    os.setpgid(0, 0)
    calls.drop_capabilities()
    calls.gain_nothing()
    calls.hide_memory()
    if layers.ruleset_fd is not None:
        landlock.put_on(layers.ruleset_fd)
    calls.close_from(first_fd)
    if layers.limits is not None:
        limit(layers.limits)
    if layers.filter is not None:  # last: it forbids most of the above
        layers.filter.put_on()


def limit(limits: ProcessLimits) -> None:
    """Put on the kernel's limits."""
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
