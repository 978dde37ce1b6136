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

from services.executor.modes.javascript.jail.jail import Jail
from services.executor.modes.javascript.jail.launched import Launched

_NOBODY = 65534
_NICE = 10
# setresuid and setresgid, which libc makes for a whole process and the kernel for one thread.
_CALLS = {"x86_64": (117, 119), "aarch64": (147, 149)}

Bounds = Mapping[int, int]
"""Limits of a process by their `resource.RLIMIT_…` number."""

_TOOLS: Bounds = {resource.RLIMIT_NOFILE: 256, resource.RLIMIT_CORE: 0}


class Tool(NamedTuple):
    """A program that reads code and runs none."""

    pid: int
    exited: asyncio.Future[int]

    def kill(self) -> None:
        """End it now."""
        if not self.exited.done():  # after that the number may be another's
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class Launcher:
    """Starts what runs code in the jail, and the tools that only read it as a user of no rights."""

    def __init__(self, jail: Jail) -> None:
        self.jail = jail
        self.tools_uid: int | None = _NOBODY if os.geteuid() == 0 else None

    def bound(self, launched: Launched, bounds: Bounds) -> None:
        """Set limits of a process that runs. Raises OSError."""
        if not launched.exited.done():
            _bound(launched.pid, bounds, uid=launched.uid)

    async def tool(
        self, argv: Sequence[str], *, environment: Mapping[str, str], stdout: int, cwd: Path, bounds: Bounds
    ) -> Tool:
        """Start a tool. Raises OSError."""
        uid = self.tools_uid
        user: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if uid is not None else {}
        start: functools.partial[subprocess.Popen[bytes]] = functools.partial(
            subprocess.Popen,
            list(argv),
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **user,
        )
        process: subprocess.Popen[bytes] = await asyncio.shield(asyncio.to_thread(start))
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        tool = Tool(process.pid, _exit_of(process))
        _bound(tool.pid, {**_TOOLS, **bounds}, uid=uid)
        return tool


def _bound(pid: int, bounds: Bounds, *, uid: int | None) -> None:
    """Even root may not bound another user's process where it lacks CAP_SYS_RESOURCE."""
    if uid is None or uid == os.geteuid():
        _set_limits(pid, bounds)
    else:
        _as(uid, lambda: _set_limits(pid, bounds))


def _exit_of(process: "subprocess.Popen[bytes]") -> "asyncio.Future[int]":
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int] = loop.create_future()
    pidfd = os.pidfd_open(process.pid)

    def gone() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        status = process.wait()
        if not exited.done():
            exited.set_result(status)

    loop.add_reader(pidfd, gone)
    return exited


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
