"""What sets the zygote apart from the machine, before there are workers: an empty root, a user of its own.

Each is there where the platform permits it, and each answer is "on" or says why it is off. The probe has the last word.
"""

import os
from pathlib import Path

from services.executor.kernel import calls
from services.executor.kernel.trial import ON

LEFT_OUT = "off: left out by a setting"
# In the range that nobody hands out: above ordinary users, below those that systemd makes up.
OWN_UID = 60_700

# Where a directory can be made for a moment; the first may be read-only in a container.
_FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 - the name is drawn, and gone at once

_OOM_SCORE = 800  # of 1000: the machine gives up a worker before anything else
_ROOT = 0
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 5, 6, 7


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
    if calls.capabilities() & needed != needed:
        return "shared: the executor lacks CAP_SETUID, CAP_SETGID or CAP_KILL"
    try:
        os.setgroups([])
        os.setresgid(OWN_UID, OWN_UID, OWN_UID)
        os.setresuid(OWN_UID, OWN_UID, OWN_UID)
    except OSError as error:
        return f"shared: {error.strerror}"
    calls.renew_death_signal()
    return ON
