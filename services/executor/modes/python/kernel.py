"""The few kernel calls that the standard library does not offer."""

import ctypes
import os
import signal
from pathlib import Path

PR_SET_PDEATHSIG = 1
# The same number on every architecture.
SYS_CLOSE_RANGE = 436
LAST_FD = 0xFFFFFFFF

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends. Ends it at once if the parent is gone already."""
    if _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        os._exit(1)


def close_from(first_fd: int) -> None:
    """Close every descriptor from `first_fd` on."""
    closed = _libc.syscall(SYS_CLOSE_RANGE, ctypes.c_uint(first_fd), ctypes.c_uint(LAST_FD), 0)
    if closed != 0:  # kernels before 5.9
        os.closerange(first_fd, os.sysconf("SC_OPEN_MAX"))


def address_space_bytes() -> int:
    """How much address space this process has mapped."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
