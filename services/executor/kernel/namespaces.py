"""Out of the machine's namespaces: a process goes on in fresh ones, and what stays behind of it is watched."""

import os
import sys
from pathlib import Path

from services.executor.kernel import calls
from services.executor.kernel.trial import ON

MOUNTS, NAMES, IPC, PROCESSES, NETWORK = 0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000
ALL = MOUNTS | NAMES | IPC | PROCESSES | NETWORK
_USERS = 0x10000000
_ROOT = 0


def enter(flags: int) -> str:
    """Go on in fresh namespaces. The caller's process stays behind until the new one, which returns, has ended."""
    pidfd = os.pidfd_open(os.getpid())
    try:
        leave(flags)
        child = os.fork()
    except OSError as error:
        os.close(pidfd)
        return f"off: {error.strerror or error}"
    if child:
        _stay_behind(child)
    calls.die_with_process(pidfd)
    os.close(pidfd)
    return ON


def leave(flags: int) -> None:
    """Leave namespaces, those of users too where it takes that. Raises OSError."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == _ROOT:
        calls.unshare(flags)
    else:
        calls.unshare(_USERS | flags)
        _map_ids(uid, gid)


def _map_ids(uid: int, gid: int) -> None:
    """The same numbers inside as outside."""
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny", encoding="ascii")  # else the kernel takes no map of groups
    (own / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    (own / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _stay_behind(child: int) -> None:
    """The executor watches this process, and the child dies with it; the control socket is the child's alone."""
    calls.close_from(3)
    _, status = os.waitpid(child, 0)
    sys.stderr.flush()
    os._exit(max(0, os.waitstatus_to_exitcode(status)))
