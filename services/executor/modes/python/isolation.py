"""What sets the zygote apart from the machine, before there are workers: namespaces, an empty root, a user of its own.

Each is there where the platform permits it, and each answer is "on" or says why it is off. The probe has the last word.
"""

import os
import sys
from pathlib import Path

from services.executor.modes.python import kernel

ON = "on"
LEFT_OUT = "off: left out by a setting"
# In the range that nobody hands out: above ordinary users, below those that systemd makes up.
OWN_UID = 60_700

# Where a directory can be made for a moment; the first may be read-only in a container.
_FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 - the name is drawn, and gone at once

_OOM_SCORE = 800  # of 1000: the machine gives up a worker before anything else
_ROOT = 0
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 5, 6, 7

_NEW_USER = 0x10000000
_NEW_OTHERS = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # mount, uts, ipc, pid, net


def enter_namespaces() -> str:
    """Go on in fresh namespaces. The caller's process stays behind until the new one, which returns, has ended."""
    uid, gid = os.geteuid(), os.getegid()
    pidfd = os.pidfd_open(os.getpid())
    try:
        if uid == _ROOT:
            kernel.unshare(_NEW_OTHERS)
        else:
            kernel.unshare(_NEW_USER | _NEW_OTHERS)
            _map_ids(uid, gid)
        child = os.fork()
    except OSError as error:
        os.close(pidfd)
        return f"off: {error.strerror or error}"
    if child:
        _stay_behind(child)
    kernel.die_with_process(pidfd)
    os.close(pidfd)
    return ON


def offer_to_the_oom_killer() -> None:
    """For this process and every worker; raising the score needs no privilege."""
    Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")


def leave_the_files() -> str:
    """Make an empty directory, which no longer has a name, the root of all paths."""
    for folder in _FOLDERS:
        seen = _leave_for(folder)
        if seen == ON:
            break
    return seen


def _leave_for(folder: str) -> str:
    name = f"shoal-{os.urandom(8).hex()}"
    try:
        parent = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        return f"off: {error.strerror}"
    try:
        os.mkdir(name, 0o555, dir_fd=parent)
        try:
            os.chroot(f"{folder}/{name}")
            os.chdir("/")
        finally:
            os.rmdir(name, dir_fd=parent)
    except OSError as error:
        return f"off: {error.strerror}"
    finally:
        os.close(parent)
    return ON


def take_own_uid() -> str:
    """Stop being root, where the executor may still end processes of another user."""
    needed = 1 << _CAP_KILL | 1 << _CAP_SETGID | 1 << _CAP_SETUID
    if os.geteuid() != _ROOT:
        return "shared: the executor is an ordinary user"
    if kernel.capabilities() & needed != needed:
        return "shared: the executor lacks CAP_SETUID, CAP_SETGID or CAP_KILL"
    try:
        os.setgroups([])
        os.setresgid(OWN_UID, OWN_UID, OWN_UID)
        os.setresuid(OWN_UID, OWN_UID, OWN_UID)
    except OSError as error:
        return f"shared: {error.strerror}"
    kernel.renew_death_signal()
    return ON


def _map_ids(uid: int, gid: int) -> None:
    """The same numbers inside as outside."""
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny", encoding="ascii")  # else the kernel takes no map of groups
    (own / "uid_map").write_text(f"{uid} {uid} 1", encoding="ascii")
    (own / "gid_map").write_text(f"{gid} {gid} 1", encoding="ascii")


def _stay_behind(child: int) -> None:
    """The executor watches this process, and the child dies with it; the control socket is the child's alone."""
    kernel.close_from(3)
    _, status = os.waitpid(child, 0)
    sys.stderr.flush()
    os._exit(max(0, os.waitstatus_to_exitcode(status)))
