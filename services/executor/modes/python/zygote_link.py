"""The executor's end of one zygote: starts it, asks it for workers, hears of their exits."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from services.executor.forker import ForkerLink, refuse
from services.executor.mode import Unavailable
from services.executor.modes.python import control
from services.executor.modes.python.exits import VIOLATION_STATUS
from services.executor.modes.python.worker_link import WorkerLink

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


class ZygoteLink(ForkerLink):
    """One running zygote. `report` is its word on the sandbox; it has seen no tenant's code when it gives it."""

    def __init__(self, without: tuple[str, ...] = ()) -> None:
        self._wanted: deque[asyncio.Future[WorkerLink]] = deque()
        self._exits: dict[int, asyncio.Future[int | None]] = {}
        self._workers: dict[int, WorkerLink] = {}
        self._retired = False
        self.on_violation: Callable[[], None] | None = None
        super().__init__("the zygote", boot=_BOOT, without=without, most_bytes=control.MAX_MESSAGE_BYTES)

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

    def _hear(self, data: bytes, fds: list[int]) -> None:
        match control.parse(data):
            case control.Ready(_, report):
                self.report = report
                self._ready.set_result(None)
            case control.Spawned(pid):
                self._introduce(pid, fds)
            case control.Failed(reason):
                refuse(self._wanted.popleft(), Unavailable(reason))
            case control.Exited(pid, status):
                self._lose(pid, status)

    def _introduce(self, pid: int, fds: list[int]) -> None:
        exited = self._exits[pid] = self._loop.create_future()
        wanted = self._wanted.popleft()
        if len(fds) != _FDS_PER_WORKER:
            refuse(wanted, Unavailable("the worker's descriptors did not arrive"))
            return
        try:
            worker = WorkerLink(socket.socket(fileno=fds[0]), fds[1], exited=exited)
        except OSError as error:  # it has died already
            refuse(wanted, Unavailable(f"the worker ended at its start: {error}"))
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

    def _lost(self, reason: str) -> None:
        for wanted in self._wanted:
            refuse(wanted, Unavailable(reason))
        for exited in self._exits.values():
            exited.set_result(None)
