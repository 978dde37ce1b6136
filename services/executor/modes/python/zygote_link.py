"""The executor's end of one zygote: starts it, asks it for workers, hears of their exits."""

import array
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from services.executor.mode import Unavailable
from services.executor.modes.python import control
from services.executor.modes.python.exits import VIOLATION_STATUS
from services.executor.modes.python.worker_link import WorkerLink

# The directory that holds the `services` package, installed or checked out.
_ROOT = Path(__file__).resolve().parents[4]

# The package `modes` imports the executor's side of every mode: the zygote gets an empty one in its place, so that
# neither their memory nor their code is in a worker.
_BOOT = """
import sys, types
root, control_fd, executor_pid, *without = sys.argv[1:]
sys.path.insert(0, root)
modes = types.ModuleType("services.executor.modes")
modes.__path__ = [root + "/services/executor/modes"]
sys.modules[modes.__name__] = modes
from services.executor.modes.python import boot
boot.main(int(control_fd), int(executor_pid), frozenset(without))
"""

_FDS_PER_WORKER = 2
_MAX_TROUBLE_BYTES = 4000


class ZygoteLink:
    """One running zygote. `report` is its word on the sandbox; it has seen no tenant's code when it gives it."""

    def __init__(self, without: tuple[str, ...] = ()) -> None:
        self._without = without
        self.report: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._trouble_fd = os.memfd_create("zygote-stderr")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = self._launch(theirs)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._control.setblocking(False)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._wanted: deque[asyncio.Future[WorkerLink]] = deque()
        self._exits: dict[int, asyncio.Future[int | None]] = {}
        self._workers: dict[int, WorkerLink] = {}
        self._retired = False
        self.on_violation: Callable[[], None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._control.fileno(), self._readable)
        # Ready when the process has ended: then it is reaped at once, without a thread.
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def alive(self) -> bool:
        """Whether it can be asked for workers."""
        return not self._gone.done()

    async def ready(self, timeout_s: float) -> None:
        """Wait until it can fork. Raises Unavailable with its last words."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), timeout_s)
        except TimeoutError as error:
            self.kill()
            raise Unavailable(f"the zygote was not ready within {timeout_s:g} s") from error

    async def spawn(self, timeout_s: float) -> WorkerLink:
        """A fresh worker. Raises Unavailable."""
        wanted: asyncio.Future[WorkerLink] = self._loop.create_future()
        try:
            self._control.send(control.SPAWN)
        except OSError as error:
            raise Unavailable(f"the zygote takes no request: {error}") from error
        # Answers come in the order of the requests, so who stops waiting stays in the line until his worker is there.
        self._wanted.append(wanted)
        try:
            return await asyncio.wait_for(wanted, timeout_s)
        except TimeoutError as error:
            self.kill()  # a fork takes milliseconds: it hangs
            raise Unavailable(f"the zygote did not answer within {timeout_s:g} s") from error

    def retire(self) -> None:
        """Another has taken its place: end it when its last worker has gone."""
        self._retired = True
        for worker in self._workers.values():
            worker.retired = True
        self._end_if_done()

    def kill(self) -> None:
        """End it, and with it every worker it has forked."""
        if self.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self, timeout_s: float) -> None:
        """Wait until the process is gone."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._gone), timeout_s)

    def _launch(self, control_end: socket.socket) -> subprocess.Popen[bytes]:
        fd = control_end.fileno()
        return subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, str(_ROOT), str(fd), str(os.getpid()), *self._without],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._trouble_fd,
            env={},
            cwd="/",
            pass_fds=[fd],
            start_new_session=True,  # Ctrl-C at the terminal is for the executor, which ends its calls in order
        )

    def _readable(self) -> None:
        flags = socket.MSG_CMSG_CLOEXEC
        try:
            data, ancillary, _, _ = self._control.recvmsg(control.MAX_MESSAGE_BYTES, socket.CMSG_SPACE(64), flags)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", []
        if data:
            self._hear(control.parse(data), _descriptors(ancillary))
        else:
            self._loop.remove_reader(self._control.fileno())
            self.kill()

    def _hear(self, message: control.Message, fds: list[int]) -> None:
        match message:
            case control.Ready(_, report):
                self.report = report
                self._ready.set_result(None)
            case control.Spawned(pid):
                self._introduce(pid, fds)
            case control.Failed(reason):
                self._refuse(self._wanted.popleft(), reason)
            case control.Exited(pid, status):
                self._lose(pid, status)

    def _introduce(self, pid: int, fds: list[int]) -> None:
        exited = self._exits[pid] = self._loop.create_future()
        wanted = self._wanted.popleft()
        if len(fds) != _FDS_PER_WORKER:
            self._refuse(wanted, "the worker's descriptors did not arrive")
            return
        try:
            worker = WorkerLink(socket.socket(fileno=fds[0]), fds[1], exited=exited)
        except OSError as error:  # it has died already
            self._refuse(wanted, f"the worker ended at its start: {error}")
            return
        worker.retired = self._retired
        self._workers[pid] = worker
        if wanted.done():  # nobody waits any more
            worker.end("unused")
        else:
            wanted.set_result(worker)

    def _lose(self, pid: int, status: int) -> None:
        self._workers.pop(pid, None)
        self._exits.pop(pid).set_result(status)
        if status == VIOLATION_STATUS and self.on_violation is not None:
            self.on_violation()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._retired and not self._exits and not self._wanted:
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
        reason = f"the zygote has ended with status {status}. {words}"
        self._refuse(self._ready, reason)
        for wanted in self._wanted:
            self._refuse(wanted, reason)
        for exited in self._exits.values():
            exited.set_result(None)

    @staticmethod
    def _refuse(waiter: asyncio.Future[WorkerLink] | asyncio.Future[None], reason: str) -> None:
        if not waiter.done():
            waiter.set_exception(Unavailable(reason))
            waiter.exception()  # seen: nobody may be waiting


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
