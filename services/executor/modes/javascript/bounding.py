"""Limits of processes that run already: how much memory is theirs is known only then."""

import ctypes
import os
import platform
import resource
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from services.executor.modes.javascript.jail.launched import Launched

# setresuid and setresgid, which libc makes for a whole process and the kernel for one thread.
_CALLS = {"x86_64": (117, 119), "aarch64": (147, 149)}

Bounds = Mapping[int, int]
"""Limits of a process by their `resource.RLIMIT_…` number."""


def bound(launched: Launched, bounds: Bounds) -> None:
    """Set limits of a process that runs. Raises OSError."""
    if not launched.exited.done():
        _bound(launched.pid, bounds, uid=launched.uid)


def _bound(pid: int, bounds: Bounds, *, uid: int) -> None:
    """Even root may not bound another user's process where it lacks CAP_SYS_RESOURCE."""
    if uid == os.geteuid():
        _set_limits(pid, bounds)
    else:
        _as(uid, lambda: _set_limits(pid, bounds))


def _set_limits(pid: int, bounds: Bounds) -> None:
    with suppress(ProcessLookupError):
        for limit, value in bounds.items():
            resource.prlimit(pid, limit, (value, value))


def _as(uid: int, act: Callable[[], None]) -> None:
    """Do it as this user."""
    failed: list[OSError] = []

    def do() -> None:
        try:
            _become(uid)
            act()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=do)  # one of its own: what it has given up does not come back
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def _become(uid: int) -> None:
    """Make this thread, and no other, another user's."""
    libc = ctypes.CDLL(None, use_errno=True)
    set_user, set_group = _CALLS[platform.machine()]
    for call in (set_group, set_user):
        if libc.syscall(call, uid, uid, uid):
            raise OSError(ctypes.get_errno(), "cannot become another user")
