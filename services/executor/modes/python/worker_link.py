"""The executor's end of one worker. The worker runs hostile code: nothing it sends is believed."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from services.executor.modes.python.frames import RECEIVE_BYTES, Assembly, FrameError
from services.executor.pool.worker import Reason
from shared.domain.outcome import Usage

Answering = Callable[[bytes], Awaitable[bytes] | None]
"""Takes a payload: the frame that answers it, or None for a reply, after which the exchange is over."""

_EXIT_NEWS_S = 1.0
_GIVING_UP_S = 1.0  # for what is cancelled
_LEAST_CPU_S = 0.0002  # less than it takes to touch a megabyte of fresh memory
_LAST_LOOKS = 8  # more than what a socket holds, in pieces
_LEAST_LOOK_S = 0.002  # between two looks at the CPU time of a call: it is over its limit by no more


class WorkerEndedError(Exception):
    """The worker ended before it replied. `started` is False when it cannot have seen the whole request."""

    def __init__(self, reason: Reason, *, started: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.started = started


class WorkerLink:
    """One worker process, one request at a time. Ends exactly once; `on_end` is told."""

    def __init__(self, data: socket.socket, pidfd: int, *, exited: asyncio.Future[int | None]) -> None:
        self._loop = asyncio.get_running_loop()
        data.setblocking(False)
        self._data = data
        self._fd = data.fileno()
        self._pidfd = pidfd
        try:
            self.pid = _pid_behind(pidfd)
            self._status_fd = os.open(f"/proc/{self.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            data.close()
            os.close(pidfd)
            raise
        self._cpu_clock = (~self.pid << 3) | 2  # the kernel's number for a process's CPU clock
        self.exited = exited
        self._unsent = bytearray()
        self._unseen = False
        self._asked = False
        self._told = False
        self._assembly: Assembly | None = None
        self._waiter: asyncio.Future[bytes] | None = None
        self.reason: Reason | None = None
        self._cpu_before_s = 0.0
        self._cpu_timer: asyncio.TimerHandle | None = None
        self.usage = Usage()
        self._start_bytes = 0
        self._own_bytes = 0
        self.on_end: Callable[[WorkerLink], None] | None = None
        self.spare = False
        # Its zygote has been replaced: it may end what it does, and is not to be used again.
        self.retired = False
        self._measure()
        self._start_bytes = self._own_bytes
        self._loop.add_reader(self._fd, self._readable)

    @property
    def alive(self) -> bool:
        """Whether a request can be sent."""
        return self.reason is None

    def send(self, frame: bytes) -> None:
        """Send a frame, or put what the socket does not take behind the ones before it."""
        if self.reason is not None:
            return
        if self._unsent:
            self._unsent += frame
            return
        sent = self._send_some(frame)
        if sent < len(frame) and self.reason is None:
            self._unsent += memoryview(frame)[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def tell(self, frame: bytes) -> None:
        """Send what is answered by nothing, while a request is under way.

        Where it is lost with the worker, that says no more of whether the request was seen.
        """
        if self._waiter is not None:
            self._told = True
            self.send(frame)

    async def exchange(
        self,
        frame: bytes,
        *,
        limit_bytes: int,
        timeout_s: float,
        cpu_s: float | None = None,
        answering: Answering | None = None,
        lines: Callable[[bytes], None] | None = None,
    ) -> bytes:
        """Send a request and wait for the payload of its reply. Raises WorkerEndedError; the worker is gone then.

        Without `cpu_s` it may compute for as long as it may take. With `answering` it may ask before it replies; what
        that raises is raised here, and the worker is to be ended. `lines` takes those that it tells meanwhile.
        """
        waiter = self._waiter = self._loop.create_future()
        self._asked = self._told = False
        self._assembly = Assembly(limit_bytes, lines)
        self._cpu_before_s = self._cpu_s()
        deadline = self._loop.call_later(timeout_s, self._overdue)
        if cpu_s is not None:
            self._look_at_cpu(cpu_s)
        try:
            if self.reason is not None:
                raise WorkerEndedError(self.reason, started=False)
            self.send(frame)
            payload: bytes = await waiter
            while answering is not None and (answer := answering(payload)) is not None:
                self._asked = True
                waiter = self._waiter = self._loop.create_future()
                self._assembly = None  # until it is answered it has nothing to say
                frame = await _unless(waiter, answer)
                self._assembly = Assembly(limit_bytes, lines)
                self.send(frame)
                payload = await waiter
            self._measure()
            if cpu_s is not None and self.usage.cpu_s > cpu_s:  # the reply came before the look that would have told
                self.end("cpu")
                raise WorkerEndedError("cpu", started=True)
            return payload
        finally:
            deadline.cancel()
            if self._cpu_timer is not None:
                self._cpu_timer.cancel()
                self._cpu_timer = None
            self._waiter = None
            if not waiter.done() or waiter.cancelled():
                # Whoever waited has been cancelled: the code must not run on behind his back.
                self.end("cancelled")

    def end(self, reason: Reason) -> None:
        """Kill the worker and let go of everything. The first reason counts."""
        if self.reason is not None:
            return
        self.reason = reason
        self._measure()
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._data.close()
        os.close(self._pidfd)
        os.close(self._status_fd)
        if self._waiter is not None and not self._waiter.done():
            started = self._asked or self._told or not (self._unseen or self._unsent)
            self._waiter.set_exception(WorkerEndedError(reason, started=started))
        if self.on_end is not None:
            self.on_end(self)

    async def exit_status(self) -> int | None:
        """How the process ended: its status, or the negative number of the signal; None when nobody could see it."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.exited), _EXIT_NEWS_S)
        return None

    @property
    def grown_bytes(self) -> int:
        """Memory the worker had after its last request, over what it was born with."""
        return self._own_bytes - self._start_bytes

    def _look_at_cpu(self, cpu_s: float) -> None:
        """End the worker if its CPU time is used up, else look again when it may be at the earliest.

        A worker has one thread: its CPU time runs no faster than the clock on the wall.
        """
        left_s = cpu_s - (self._cpu_s() - self._cpu_before_s)
        if left_s <= 0:
            self.end("cpu")
        else:
            self._cpu_timer = self._loop.call_later(max(left_s, _LEAST_LOOK_S), self._look_at_cpu, cpu_s)

    def _overdue(self) -> None:
        """The time is up: unless the reply is here already, and only we were late (stopped, suspended, starved)."""
        waiter = self._waiter
        if waiter is None:
            return
        for _ in range(_LAST_LOOKS):  # lines may be before it
            if not waiter.done() and self.reason is None:
                self._readable()
        if not waiter.done() and self.reason is None:
            self.end("deadline")

    def _readable(self) -> None:
        try:
            piece = self._data.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # The kernel resets the connection when the other end closes with bytes unread: it never had the request.
            self._unseen = True
            piece = b""
        if not piece:
            self.end("died")
        elif self._waiter is None or self._waiter.done() or self._assembly is None:
            self.end("broken")  # it spoke without being asked, or went on after its reply
        else:
            self._take(piece, self._waiter, self._assembly)

    def _take(self, piece: bytes, waiter: asyncio.Future[bytes], assembly: Assembly) -> None:
        try:
            payload = assembly.feed(piece)
        except FrameError:
            self.end("broken")
        else:
            if payload is not None:
                waiter.set_result(payload)

    def _send_some(self, data: bytes | bytearray) -> int:
        try:
            return self._data.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._unseen = True
            self.end("died")
            return 0

    def _writable(self) -> None:
        sent = self._send_some(self._unsent)
        if self.reason is None:
            del self._unsent[:sent]
            if not self._unsent:
                self._loop.remove_writer(self._fd)

    def _measure(self) -> None:
        """Note what the request has cost so far: by the kernel's books, not by the worker's word."""
        cpu_s = max(0.0, self._cpu_s() - self._cpu_before_s)
        if cpu_s < _LEAST_CPU_S and self.usage.peak_bytes:  # the books stand as they were
            self.usage = Usage(cpu_s, self.usage.peak_bytes)
            return
        try:
            status = os.pread(self._status_fd, 4096, 0)
        except OSError:  # the process is gone
            self.usage = Usage(cpu_s, self.usage.peak_bytes)
            return
        self.usage = Usage(cpu_s, _bytes_in(status, b"VmHWM:"))
        self._own_bytes = _bytes_in(status, b"RssAnon:")

    def _cpu_s(self) -> float:
        try:
            return time.clock_gettime(self._cpu_clock)
        except OSError:  # the process is gone
            return self._cpu_before_s


async def _unless(waiter: asyncio.Future[bytes], answer: Awaitable[bytes]) -> bytes:
    """The answer, given up when the worker ends. Raises WorkerEndedError then."""
    making = asyncio.ensure_future(answer)
    try:
        await asyncio.wait({making, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if waiter.done():
            waiter.result()
        return making.result()
    finally:
        if not making.done():
            making.cancel()
            await asyncio.wait({making}, timeout=_GIVING_UP_S)
        if making.done() and not making.cancelled():
            making.exception()  # seen


def _bytes_in(status: bytes, field: bytes) -> int:
    """A field of /proc/<pid>/status, which counts in kilobytes; 0 for a process without memory, a zombie."""
    _, found, rest = status.partition(field)
    return int(rest.split(maxsplit=1)[0]) << 10 if found else 0


def _pid_behind(pidfd: int) -> int:
    """The process id as this process sees it; the zygote may live in a namespace with other numbers."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_bytes().splitlines():
        if line.startswith(b"Pid:"):
            return int(line[4:])
    raise ProcessLookupError("the descriptor belongs to no process")
