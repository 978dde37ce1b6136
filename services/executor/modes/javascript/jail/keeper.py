"""The keeper: a small process that starts programs on the executor's order, and tells of their ends.

It is forked for each, so it is kept small; it believes the executor, and has nothing to do with what the programs say.
"""

import os
import select
import signal
import socket
from typing import NoReturn

from services.executor.kernel import calls
from services.executor.modes.javascript.jail import cell, orders, rooms
from services.executor.modes.javascript.jail.cell import Layers
from services.executor.modes.javascript.jail.orders import Order

_START_S = 5.0  # from the fork to the program's first instruction; it takes some milliseconds
_SAID_BYTES = 1000
_SAYS = 2  # descriptors that come with an order: standard error, and standard output
_HIGHEST_KEPT = 3  # standard input to error, and what tells the keeper of the start


class NotStartedError(Exception):
    """A program did not start; the text is why."""


class Keeper:
    """The fork server."""

    def __init__(self, executor: socket.socket, layers: Layers) -> None:
        self._executor = executor
        self._layers = layers
        self._poll = select.epoll()
        self._programs: dict[int, tuple[int, int]] = {}  # pidfd -> pid, uid
        self._next_uid = rooms.FIRST_UID

    def serve(self) -> None:
        """Start on order and tell of exits until the executor closes the control socket."""
        self._poll.register(self._executor.fileno(), select.EPOLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._programs:
                    self._reap(fd)
                    continue
                packet, fds, _, _ = socket.recv_fds(self._executor, orders.MAX_BYTES, _SAYS)
                if not packet:
                    return
                order = orders.parse(packet)
                assert isinstance(order, Order)
                self._obey(order, fds)

    def _obey(self, order: Order, fds: list[int]) -> None:
        uid = self._free_uid()
        try:
            pid, door = self._start(order, fds, uid)
        except (OSError, NotStartedError) as error:
            self._executor.send(orders.pack(orders.Failed(str(error))))
            return
        finally:
            for fd in fds:
                os.close(fd)
        pidfd = os.pidfd_open(pid)
        self._programs[pidfd] = pid, uid
        self._poll.register(pidfd, select.EPOLLIN)
        told = orders.pack(orders.Started(pid, uid if self._layers.own_uid else os.geteuid()))
        socket.send_fds(self._executor, [told], [pidfd, *door])
        for fd in door:
            os.close(fd)

    def _start(self, order: Order, says: list[int], uid: int) -> tuple[int, list[int]]:
        """Its number, and the listener of its network if it has one. Raises OSError, NotStartedError."""
        keeper_pid = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            pid = os.fork()
            if pid == 0:
                _become(order, self._layers, says=says, told=theirs, keeper_pid=keeper_pid, uid=uid)
            theirs.close()
            try:
                return pid, _started(ours)
            except BaseException:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise

    def _free_uid(self) -> int:
        """The longest unused one; where all are used, one that another program has."""
        taken = {uid for _, uid in self._programs.values()}
        most = rooms.LAST_UID - rooms.FIRST_UID + 1
        for _ in range(most):
            uid = self._next_uid
            self._next_uid = uid + 1 if uid < rooms.LAST_UID else rooms.FIRST_UID
            if uid not in taken:
                break
        return uid

    def _reap(self, pidfd: int) -> None:
        pid, _ = self._programs.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._executor.send(orders.pack(orders.Exited(pid, os.waitstatus_to_exitcode(status))))


def _started(link: socket.socket) -> list[int]:
    """Wait for the program: its end of the link closes when it becomes what was ordered. Raises NotStartedError."""
    doors: list[int] = []
    link.settimeout(_START_S)
    try:
        while True:
            said, fds, _, _ = socket.recv_fds(link, _SAID_BYTES, 1)
            doors += fds
            if not said:
                return doors
            if not fds:
                raise NotStartedError(said.decode("utf-8", "replace"))
    except (TimeoutError, NotStartedError) as error:
        for fd in doors:
            os.close(fd)
        raise NotStartedError(str(error)) from error


def _become(  # one step of a fork that never returns
    order: Order, layers: Layers, *, says: list[int], told: socket.socket, keeper_pid: int, uid: int
) -> NoReturn:
    try:
        calls.die_with_parent(keeper_pid)
        os.setsid()
        if order.port and layers.own_network:
            with rooms.own_network(order.port) as listener:
                socket.send_fds(told, [b"door"], [listener.fileno()])
        _arrange(*says, told=told.fileno())
        os.chdir(order.cwd)
        cell.confine(order, layers, uid=uid)
        os.execve(order.argv[0], order.argv, order.environment)  # noqa: S606 - what was ordered
    except BaseException as error:  # noqa: BLE001 - whatever it is, the keeper tells the executor
        os.write(_HIGHEST_KEPT, f"{type(error).__name__}: {error}".encode()[:_SAID_BYTES])
    finally:
        os._exit(1)


def _arrange(stderr: int, stdout: int | None = None, *, told: int) -> None:
    """Nothing to read, nowhere to write but to standard error and what it was given as output; nothing else is open."""
    null = os.open(os.devnull, os.O_RDWR)
    spare = [os.dup(fd) for fd in (null, null if stdout is None else stdout, stderr, told)]  # out of each other's way
    while min(spare) <= _HIGHEST_KEPT:
        spare = [os.dup(fd) if fd <= _HIGHEST_KEPT else fd for fd in spare]
    for place, fd in enumerate(spare):
        os.dup2(fd, place, inheritable=place < _HIGHEST_KEPT)
    calls.close_from(_HIGHEST_KEPT + 1)
