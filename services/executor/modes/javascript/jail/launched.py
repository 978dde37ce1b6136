"""A program in the jail, as the executor sees it."""

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path


class Launched:
    """A program that was started. `pid` is its number on this machine, 0 where it had ended before that was asked.

    `uid` is the user it runs as. `exited` is its status, or the negative number of the signal that ended it. `listener`
    accepts what it connects to, where it has a network of its own.
    """

    def __init__(self, pidfd: int, uid: int, exited: asyncio.Future[int], *, listener_fd: int | None = None) -> None:
        self._pidfd = pidfd
        self.pid = _number_behind(pidfd)
        self.uid = uid
        self.exited = exited
        self.listener = None if listener_fd is None else socket.socket(fileno=listener_fd)

    def kill(self) -> None:
        """End it now; no other process can be met."""
        if not self.exited.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def end(self, status: int) -> None:
        """It has ended: what the keeper says."""
        os.close(self._pidfd)
        if not self.exited.done():
            self.exited.set_result(status)


def _number_behind(pidfd: int) -> int:
    """The number that this machine has for a process, which may be in a namespace with numbers of its own."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_bytes().splitlines():
        if line.startswith(b"Pid:"):
            return max(0, int(line[4:]))
    return 0
