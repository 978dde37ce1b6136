"""The executor's end of one keeper: starts it, gives it orders, hears of exits."""

import asyncio
import signal
import socket
from collections import deque

from services.executor.forker import ForkerLink, refuse
from services.executor.mode import Unavailable
from services.executor.modes.javascript.jail import orders
from services.executor.modes.javascript.jail.launched import Launched
from services.executor.modes.javascript.jail.orders import Order

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

_NAME = "the keeper of the jail"
_KILLED = -int(signal.SIGKILL)


class KeeperLink(ForkerLink):
    """One running keeper. `report` is its word on the layers; programs end with it."""

    def __init__(self, without: tuple[str, ...]) -> None:
        self._wanted: deque[asyncio.Future[Launched]] = deque()
        self._programs: dict[int, Launched] = {}
        # Without site packages: it needs none, and is to stay small.
        super().__init__(_NAME, boot=_BOOT, without=without, most_bytes=orders.MAX_BYTES, flags=("-S",))

    async def launch(self, order: Order, says: list[int], *, timeout_s: float) -> Launched:
        """Start a program. Raises OSError where it does not start, Unavailable where the keeper is gone."""
        wanted: asyncio.Future[Launched] = self._loop.create_future()
        try:
            socket.send_fds(self._control, [orders.pack(order)], says)
        except OSError as error:
            raise Unavailable(f"{_NAME} takes no order: {error}") from error
        # Answers come in the order of the orders, so who stops waiting stays in the line.
        self._wanted.append(wanted)
        try:
            return await asyncio.wait_for(asyncio.shield(wanted), timeout_s)
        except TimeoutError as error:
            self.kill()
            raise Unavailable(f"{_NAME} did not answer within {timeout_s:g} s") from error
        except asyncio.CancelledError:
            wanted.add_done_callback(_end_unwanted)
            raise

    def _hear(self, data: bytes, fds: list[int]) -> None:
        match orders.parse(data):
            case orders.Ready(report):
                self.report = report
                self._ready.set_result(None)
            case orders.Started(pid, uid):
                launched = Launched(fds[0], uid, self._loop.create_future(), listener_fd=fds[1] if fds[1:] else None)
                self._programs[pid] = launched
                _settle(self._wanted.popleft(), launched)
            case orders.Failed(reason):
                refuse(self._wanted.popleft(), OSError(reason))
            case orders.Exited(pid, status):
                self._programs.pop(pid).end(status)
            case message:
                raise TypeError(f"{_NAME} says {message!r}")

    def _lost(self, reason: str) -> None:
        for wanted in self._wanted:
            refuse(wanted, Unavailable(reason))
        for program in self._programs.values():  # they have died with it
            program.end(_KILLED)


def _settle(waiter: asyncio.Future[Launched], launched: Launched) -> None:
    if not waiter.done():
        waiter.set_result(launched)


def _end_unwanted(started: asyncio.Future[Launched]) -> None:
    """Nobody waits for it any more."""
    if not started.cancelled() and started.exception() is None:
        started.result().kill()
