"""The process every worker is forked from. It has imported and warmed up everything, and sees no byte of a tenant.

One byte on its control socket asks for a worker; it answers with the worker's socket and pidfd, and tells of exits.
"""

import gc
import os
import select
import socket
import sys
import time
import traceback
import warnings

from services.executor.kernel import calls
from services.executor.modes.python import control, layers, warmup, worker
from services.executor.modes.python.lockdown import Layers


class Zygote:
    """The fork server."""

    def __init__(self, executor: socket.socket, mapped_bytes: int, worn: Layers) -> None:
        self._executor = executor
        self._mapped_bytes = mapped_bytes
        self._layers = worn
        self._pid = os.getpid()
        self._poll = select.epoll()
        self._workers: dict[int, int] = {}  # pidfd -> pid

    def serve(self) -> None:
        """Fork on request and tell of exits until the executor closes the control socket."""
        self._poll.register(self._executor.fileno(), select.EPOLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd in self._workers:
                    self._reap(fd)
                elif self._executor.recv(len(control.SPAWN)):
                    self._spawn()
                else:
                    return

    def _spawn(self) -> None:
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                pid = os.fork()
                if pid == 0:
                    start = worker.Start(zygote_pid=self._pid, mapped_bytes=self._mapped_bytes, layers=self._layers)
                    worker.start(theirs.detach(), start)
                pidfd = os.pidfd_open(pid)
                self._workers[pidfd] = pid
                self._poll.register(pidfd, select.EPOLLIN)
                told = control.pack(control.Spawned(pid))
                socket.send_fds(self._executor, [told], [ours.fileno(), pidfd])
        except OSError as error:
            self._tell(control.Failed(str(error)))

    def _reap(self, pidfd: int) -> None:
        pid = self._workers.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._tell(control.Exited(pid, os.waitstatus_to_exitcode(status)))

    def _tell(self, message: control.Message) -> None:
        self._executor.send(control.pack(message))


def main(control_fd: int, namespaces: str, without: frozenset[str]) -> None:
    """Warm up, isolate, probe and serve. What goes wrong before it is ready is on its standard error."""
    executor = socket.socket(fileno=control_fd)
    # Functions see one clock everywhere; and with TZ unset the C library would look at a file at every call.
    os.environ["TZ"] = "UTC"
    time.tzset()
    warnings.simplefilter("ignore")
    try:
        warmup.warm_up()
        mapped_bytes = calls.address_space_bytes()  # while /proc is in sight
        chroot, uid = layers.isolate(without)
        calls.drop_capabilities()
        calls.gain_nothing()
        calls.hide_memory()
        worn, report = layers.prepare(namespaces, chroot=chroot, uid=uid, without=without)
    except Exception:  # noqa: BLE001 - told to the executor, which raises it
        traceback.print_exc()
        sys.exit(1)
    sys.stderr.flush()
    os.dup2(0, 2)
    gc.collect()
    # Frozen objects are not visited by collections in the workers, so their pages stay shared.
    gc.freeze()
    executor.send(control.pack(control.Ready(mapped_bytes, report)))
    Zygote(executor, mapped_bytes, worn).serve()
