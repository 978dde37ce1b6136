"""The executor's end of a process that starts others for it: its start, its word that it is ready, its end."""

import array
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.executor.mode import Unavailable

# The directory that holds the `services` package, installed or checked out.
_ROOT = Path(__file__).resolve().parents[2]

_FDS_SPACE = 64  # bytes of descriptors beside one message
_MAX_TROUBLE_BYTES = 4000


class ForkerLink:
    """One running process, called `name` in sentences. `report` is its word on the layers of what it starts.

    It is `boot`, a Python program, with the arguments root, control descriptor, executor's pid and the layers to do
    `without`. Its messages, of at most `most_bytes`, come to `_hear`; `_lost` is told when it has ended.
    """

    def __init__(
        self, name: str, *, boot: str, without: Sequence[str], most_bytes: int, flags: Sequence[str] = ()
    ) -> None:
        self.report: dict[str, str] = {}
        self._name = name
        self._most_bytes = most_bytes
        self._loop = asyncio.get_running_loop()
        self._trouble_fd = os.memfd_create("forker-stderr")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = self._start(boot, theirs.fileno(), [*flags], [*without])
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._control.setblocking(False)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._control.fileno(), self._readable)
        # Ready when the process has ended: then it is reaped at once, without a thread.
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def alive(self) -> bool:
        """Whether it can be asked to start something."""
        return not self._gone.done()

    async def ready(self, timeout_s: float) -> None:
        """Wait until it can be asked. Raises Unavailable with its last words."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), timeout_s)
        except TimeoutError as error:
            self.kill()
            raise Unavailable(f"{self._name} was not ready within {timeout_s:g} s") from error

    def kill(self) -> None:
        """End it, and with it everything that it has started."""
        if self.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self, timeout_s: float) -> None:
        """Wait until the process is gone."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._gone), timeout_s)

    def _hear(self, data: bytes, fds: list[int]) -> None:
        raise NotImplementedError

    def _lost(self, reason: str) -> None:
        raise NotImplementedError

    def _start(self, boot: str, control_fd: int, flags: list[str], without: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", *flags, "-c", boot, str(_ROOT), str(control_fd), str(os.getpid()), *without],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._trouble_fd,
            env={},
            cwd="/",
            pass_fds=[control_fd],
            start_new_session=True,  # Ctrl-C at the terminal is for the executor, which ends its calls in order
        )

    def _readable(self) -> None:
        space = socket.CMSG_SPACE(_FDS_SPACE)
        try:
            data, ancillary, _, _ = self._control.recvmsg(self._most_bytes, space, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        if data:
            self._hear(data, _descriptors(ancillary))
        else:
            self._loop.remove_reader(self._control.fileno())
            self.kill()

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._control.fileno())
        status = self._process.wait()
        words = os.pread(self._trouble_fd, _MAX_TROUBLE_BYTES, 0).decode("utf-8", "replace").strip()
        for fd in (self._pidfd, self._trouble_fd):
            os.close(fd)
        self._control.close()
        self._gone.set_result(None)
        reason = f"{self._name} has ended with status {status}. {words}"
        refuse(self._ready, Unavailable(reason))
        self._lost(reason)


def refuse(waiter: "asyncio.Future[Any]", error: Exception) -> None:
    """Tell who waits that it will not come; nobody may be waiting any more."""
    if not waiter.done():
        waiter.set_exception(error)
        waiter.exception()  # seen


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
