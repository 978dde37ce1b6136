"""The executor's end of one keeper: starts it, gives it orders, hears of exits."""

import array
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from pathlib import Path

from services.executor.mode import Unavailable
from services.executor.modes.javascript.jail import orders
from services.executor.modes.javascript.jail.launched import Launched
from services.executor.modes.javascript.jail.orders import Order

# The directory that holds the `services` package, installed or checked out.
_ROOT = Path(__file__).resolve().parents[5]

# The packages on the way import the executor's side of every mode: the keeper gets empty ones, for it is to stay small.
_BOOT = """
import sys, types
root, control_fd, executor_pid, *without = sys.argv[1:]
sys.path.insert(0, root)
for name in ("services.executor.modes", "services.executor.modes.javascript"):
    stub = types.ModuleType(name)
    stub.__path__ = [root + "/" + name.replace(".", "/")]
    sys.modules[name] = stub
from services.executor.modes.javascript.jail import boot
boot.main(int(control_fd), int(executor_pid), frozenset(without))
"""

_MAX_FDS = 4
_MAX_TROUBLE_BYTES = 4000
_KILLED = -int(signal.SIGKILL)


class KeeperLink:
    """One running keeper. `report` is its word on the layers; programs end with it."""

    def __init__(self, without: tuple[str, ...]) -> None:
        self.report: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._trouble_fd = os.memfd_create("keeper-stderr")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = self._start(theirs.fileno(), without)
        self.pid = self._process.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._control.setblocking(False)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._wanted: deque[asyncio.Future[Launched]] = deque()
        self._programs: dict[int, Launched] = {}
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._control.fileno(), self._readable)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def alive(self) -> bool:
        """Whether it takes orders."""
        return not self._gone.done()

    async def ready(self, timeout_s: float) -> None:
        """Wait until it takes orders. Raises Unavailable with its last words."""
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), timeout_s)
        except TimeoutError as error:
            self.kill()
            raise Unavailable(f"the keeper of the jail was not ready within {timeout_s:g} s") from error

    async def launch(self, order: Order, says: list[int], *, timeout_s: float) -> Launched:
        """Start a program. Raises OSError where it does not start, Unavailable where the keeper is gone."""
        wanted: asyncio.Future[Launched] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [orders.pack(order)], says)
        except OSError as error:
            raise Unavailable(f"the keeper of the jail takes no order: {error}") from error
        # Answers come in the order of the orders, so who stops waiting stays in the line.
        self._wanted.append(wanted)
        try:
            return await asyncio.wait_for(asyncio.shield(wanted), timeout_s)
        except TimeoutError as error:
            self.kill()
            raise Unavailable(f"the keeper of the jail did not answer within {timeout_s:g} s") from error
        except asyncio.CancelledError:
            wanted.add_done_callback(_end_unwanted)
            raise

    def kill(self) -> None:
        """End it, and with it every program."""
        if self.alive:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self, timeout_s: float) -> None:
        """Wait until the process is gone."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._gone), timeout_s)

    def _start(self, control_fd: int, without: tuple[str, ...]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, str(_ROOT), str(control_fd), str(os.getpid()), *without],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._trouble_fd,
            env={},
            cwd="/",
            pass_fds=[control_fd],
            start_new_session=True,  # Ctrl-C at the terminal is for the executor, which ends its calls in order
        )

    def _readable(self) -> None:
        space = socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize)
        try:
            packet, ancillary, _, _ = self._control.recvmsg(orders.MAX_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            packet, ancillary = b"", []
        if packet:
            self._hear(orders.parse(packet), _descriptors(ancillary))
        else:
            self._loop.remove_reader(self._control.fileno())
            self.kill()

    def _hear(self, message: orders.Message, fds: list[int]) -> None:
        match message:
            case orders.Ready(report):
                self.report = report
                self._ready.set_result(None)
            case orders.Started(pid, uid):
                launched = Launched(fds[0], uid, self._loop.create_future(), listener_fd=fds[1] if fds[1:] else None)
                self._programs[pid] = launched
                _settle(self._wanted.popleft(), launched)
            case orders.Failed(reason):
                _refuse(self._wanted.popleft(), OSError(reason))
            case orders.Exited(pid, status):
                self._programs.pop(pid).end(status)
            case _:
                raise TypeError(f"the keeper of the jail says {message!r}")

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._control.fileno())
        status = self._process.wait()
        words = os.pread(self._trouble_fd, _MAX_TROUBLE_BYTES, 0).decode("utf-8", "replace").strip()
        for fd in (self._pidfd, self._trouble_fd):
            os.close(fd)
        self._control.close()
        self._gone.set_result(None)
        reason = f"the keeper of the jail has ended with status {status}. {words}"
        _refuse(self._ready, Unavailable(reason))
        for wanted in self._wanted:
            _refuse(wanted, Unavailable(reason))
        for program in self._programs.values():  # they have died with it
            program.end(_KILLED)


def _settle(waiter: asyncio.Future[Launched], launched: Launched) -> None:
    if not waiter.done():
        waiter.set_result(launched)


def _refuse(waiter: asyncio.Future[Launched] | asyncio.Future[None], error: Exception) -> None:
    if not waiter.done():
        waiter.set_exception(error)
        waiter.exception()  # seen: nobody may be waiting


def _end_unwanted(started: asyncio.Future[Launched]) -> None:
    """Nobody waits for it any more."""
    if not started.cancelled() and started.exception() is None:
        started.result().kill()


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
