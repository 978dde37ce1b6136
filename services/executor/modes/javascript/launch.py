"""Starting processes: the only place that does."""

import asyncio
import ctypes
import functools
import os
import platform
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_NOBODY = 65534
_NICE = 10
# setresuid and setresgid, which libc makes for a whole process and the kernel for one thread.
_CALLS = {"x86_64": (117, 119), "aarch64": (147, 149)}

Bounds = Mapping[int, int]
"""Limits of a process by their `resource.RLIMIT_…` number."""

AT_START: Bounds = {resource.RLIMIT_NOFILE: 256, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}


class Launched(NamedTuple):
    """A process. `exited` is its status, or the negative number of the signal that ended it."""

    pid: int
    exited: "asyncio.Future[int | None]"

    def kill(self) -> None:
        """End it now, and whatever is in its group."""
        if not self.exited.done():  # after that the number may be another's
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class Launcher:
    """Starts processes that are not to be trusted: another uid where that is possible, no environment, no files."""

    def __init__(self) -> None:
        self.uid: int | None = _NOBODY if os.geteuid() == 0 else None

    async def launch(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
    ) -> Launched:
        """Start one. Raises OSError."""
        user: dict[str, Any] = {"user": self.uid, "group": self.uid, "extra_groups": []} if self.uid is not None else {}
        start: functools.partial[subprocess.Popen[bytes]] = functools.partial(
            subprocess.Popen,
            list(argv),
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            **user,
        )
        process: subprocess.Popen[bytes] = await asyncio.shield(asyncio.to_thread(start))
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        return Launched(process.pid, _exit_of(process))

    def bound(self, launched: Launched, bounds: Bounds) -> None:
        """Set limits of a process that runs. Raises OSError."""
        if launched.exited.done():
            return
        if self.uid is None:
            _bound(launched.pid, bounds)
        else:
            _as(self.uid, lambda: _bound(launched.pid, bounds))


def _exit_of(process: "subprocess.Popen[bytes]") -> "asyncio.Future[int | None]":
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int | None] = loop.create_future()
    pidfd = os.pidfd_open(process.pid)

    def gone() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        status = process.wait()
        if not exited.done():
            exited.set_result(status)

    loop.add_reader(pidfd, gone)
    return exited


def _bound(pid: int, bounds: Bounds) -> None:
    with suppress(ProcessLookupError):
        for limit, value in bounds.items():
            resource.prlimit(pid, limit, (value, value))


def _as(uid: int, act: Callable[[], None]) -> None:
    """Do it as this user: even root may not bound another user's process where it lacks CAP_SYS_RESOURCE."""
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
