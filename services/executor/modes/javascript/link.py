"""The executor's end of one worker: a Deno process with its host and one function. Nothing it sends is believed."""

import asyncio
import os
import resource
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from services.executor.mode import Call
from services.executor.modes.javascript import wire
from services.executor.modes.javascript.asks import Ask, Asks, stream_of
from services.executor.modes.javascript.bounding import bound
from services.executor.modes.javascript.connection import Connection, LostError
from services.executor.modes.javascript.exchange import BrokenError, Exchange
from services.executor.modes.javascript.folder import Place
from services.executor.modes.javascript.jail.launched import Launched
from services.executor.modes.javascript.lines import Log
from services.executor.modes.javascript.stderr import Stderr
from services.executor.pool.worker import Reason
from shared.domain.outcome import Usage

_EXIT_NEWS_S = 1.0
_LEAST_LOOK_S = 0.005  # between two looks at the CPU time of a call
_FIRST_WATCH_S, _LAST_WATCH_S = 1.0, 30.0
_REST_SHARE = 0.1  # of a processor's time, that an idle worker may use
_MOST_REPLIES = 256  # to what it asked, not taken yet
_REPLY_BYTES = 32 << 20  # of these together


class WorkerLink:
    """One worker process, one call at a time. Ends exactly once; `on_end` is told."""

    def __init__(
        self,
        launched: Launched,
        stderr: int,
        *,
        place: Place,
        leave: Callable[[Place], None],
        header_bytes: int,
        most_asks: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._launched = launched
        self.pid = launched.pid
        self.exited = cast("asyncio.Future[int | None]", launched.exited)
        self.place = place
        self.header_bytes = header_bytes
        self._cpu_clock = (~self.pid << 3) | 2  # the kernel's number for a process's CPU clock
        self._status_fd = os.open(f"/proc/{self.pid}/status", os.O_RDONLY | os.O_CLOEXEC)
        self._calls = self._connection()
        self._control = self._connection()
        self._replies = self._connection()
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._replying = False
        self._stderr = Stderr(stderr, on_flood=lambda: self.end("broken"))
        self.asks = Asks(most=most_asks, reply=self._queue)
        self._listening: asyncio.Task[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._cpu_timer: asyncio.TimerHandle | None = None
        self._cpu_before_s = 0.0
        self._own_bytes = 0
        self.usage = Usage()
        self._sealed = False
        self.reason: Reason | None = None
        self.on_end: Callable[[WorkerLink], None] | None = None
        self.retired = False
        self.spare = False
        self.exited.add_done_callback(lambda _: self.end("died"))
        self.exited.add_done_callback(lambda _: leave(place))

    @property
    def alive(self) -> bool:
        """Whether a call can be made."""
        return self.reason is None

    @property
    def loaded(self) -> bool:
        """Whether the function's code is in it."""
        return self._listening is not None

    @property
    def log(self) -> Log:
        """What the call has logged so far."""
        return self._stderr.log

    @property
    def grown_bytes(self) -> int:
        """Memory that was its own after its last call; the binary's is shared by all."""
        return self._own_bytes

    async def connect(self) -> None:
        """Wait until the host listens, and connect. Raises OSError when it does not."""
        await self._stderr.listens()
        for connection in (self._calls, self._control, self._replies):
            await self._loop.create_unix_connection(lambda made=connection: made, str(self.place.socket))  # type: ignore[misc]
        self._measure()

    @property
    def data_bytes(self) -> int:
        """What it has of the memory that RLIMIT_DATA bounds."""
        return _bytes_in(self._status(), b"VmData:")

    def begin(self, call: Call) -> None:
        """All that comes from now on is this call's; it is over when its time is."""
        self._stop_clocks()
        self.asks.call, self.asks.answered = call, False
        self._stderr.drain()
        self._stderr.log = Log(call.task_id, call.limits, call.live)
        self._cpu_before_s = self._cpu_s()
        self._timers = [self._loop.call_later(call.limits.timeout_s, self.end, "deadline")]
        if call.limits.cpu_s < call.limits.timeout_s:
            self._look_at_cpu(call.limits.cpu_s)

    def answered(self) -> None:
        """The call has its outcome: its clocks are stopped, and what it has cost is known."""
        self._stop_clocks()
        if self.alive:
            self._stderr.drain()
            self._measure()
        self.asks.answered = True

    def finish(self) -> None:
        """Nothing of the call is left; from now on it is to rest."""
        self._stop_clocks()
        self._watch(_FIRST_WATCH_S)
        if not self._sealed:  # what Deno had to write of the code is written
            self._sealed = True
            bound(self._launched, {resource.RLIMIT_FSIZE: 0})
        self.asks.cancel()
        self.asks.call = None
        self._stderr.log = Log()

    async def load(self, request: bytes) -> Ask:
        """Have the host load the function. Says `ready` in any case, with an error's name where it failed.

        Raises LostError, BrokenError.
        """
        stream = stream_of(self.header_bytes)
        self._control.send(request, stream)
        await stream.head
        self._listening = asyncio.create_task(self._listen(stream))
        return await self.asks.ready

    async def warm(self) -> None:
        """Have it load its code and answer once, as nobody's call; then it ends by itself. Raises LostError."""
        await self.load(wire.init_of({}, main=self.place.main.as_uri()))
        exchange = Exchange(most_bytes=self.header_bytes, header_bytes=self.header_bytes)
        self.ask(wire.warmup(), exchange)
        await exchange.end

    def ask(self, request: bytes, exchange: Exchange) -> None:
        """Send a request, whose answer comes into the exchange."""
        self._calls.send(request, exchange)

    async def part(self, exchange: Exchange) -> bytes:
        """What came next of an answer that flows; nothing at its end. Raises LostError, BrokenError."""
        while True:
            part = exchange.taken()
            if part:
                return part
            if exchange.end.done():
                exchange.end.result()
                return b""
            self._calls.flow(on=True)
            await exchange.came.wait()

    def end(self, reason: Reason) -> None:
        """Kill the worker, and wake whoever waits for it."""
        if self.reason is not None:
            return
        self.reason = reason
        self._measure()
        self._launched.kill()
        self._stop_clocks()
        self._stderr.close()
        if not self.asks.ready.done():
            self.asks.ready.set_exception(LostError())
            self.asks.ready.exception()
        if self._listening is not None:
            self._listening.cancel()
        self.asks.cancel()
        self._unsent.clear()
        for connection in (self._calls, self._control, self._replies):
            connection.close()
        os.close(self._status_fd)
        if self.on_end is not None:
            self.on_end(self)

    async def exit_status(self) -> int | None:
        """How the process ended: its status, or the negative number of the signal; None when nobody could see it."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.exited), _EXIT_NEWS_S)
        return None

    def _connection(self) -> Connection:
        return Connection(on_broken=lambda: self.end("broken"), on_lost=self._lost)

    def _lost(self) -> None:
        """Its end is known by its exit, in a moment; one that only hangs up is ended."""
        if self.reason is None:
            self._loop.call_later(_EXIT_NEWS_S, self.end, "died")

    async def _listen(self, stream: Exchange) -> None:
        """Serve what the function asks, for as long as it lives."""
        try:
            while True:
                await stream.came.wait()
                self.asks.feed(stream.taken())
                if stream.end.done():
                    stream.end.result()
                    raise BrokenError("the stream of control ended")
                self._control.flow(on=True)
        except BrokenError:
            self.end("broken")
        except LostError:
            pass  # its exit says why

    def _queue(self, reply: bytes) -> bool:
        """Have the worker take a reply in its turn; False where it leaves too much untaken for that."""
        if not self.alive:
            return True
        if self._unsent and self._unsent_bytes + len(reply) > _REPLY_BYTES:
            return False
        self._unsent.append(reply)
        self._unsent_bytes += len(reply)
        if len(self._unsent) > _MOST_REPLIES:
            self.end("broken")
        elif not self._replying:
            self._send_reply()
        return True

    def _send_reply(self) -> None:
        self._replying = bool(self._unsent) and self.alive
        if self._replying:
            exchange = Exchange(most_bytes=self.header_bytes, header_bytes=self.header_bytes)
            exchange.end.add_done_callback(self._replied)
            reply = self._unsent.popleft()
            self._unsent_bytes -= len(reply)
            self._replies.send(reply, exchange)

    def _replied(self, end: "asyncio.Future[None]") -> None:
        if end.exception() is None:
            self._send_reply()

    def _look_at_cpu(self, cpu_s: float) -> None:
        left_s = cpu_s - (self._cpu_s() - self._cpu_before_s)
        if left_s <= 0:
            self.end("cpu")
        else:  # it has threads, so its time may run as fast as all processors together
            pause_s = max(left_s / (os.cpu_count() or 1), _LEAST_LOOK_S)
            self._cpu_timer = self._loop.call_later(pause_s, self._look_at_cpu, cpu_s)

    def _watch(self, after_s: float) -> None:
        """Look, less and less often, whether it computes while nobody calls it: timers of calls that are over."""
        if self.reason is None:
            self._timers = [self._loop.call_later(after_s, self._look_at_rest, after_s, self._cpu_s())]

    def _look_at_rest(self, after_s: float, before_s: float) -> None:
        if self._cpu_s() - before_s > _REST_SHARE * after_s:
            self.end("cpu")
        else:
            self._watch(min(2 * after_s, _LAST_WATCH_S))

    def _stop_clocks(self) -> None:
        for timer in (*self._timers, *([self._cpu_timer] if self._cpu_timer else [])):
            timer.cancel()

    def _measure(self) -> None:
        """Note what the call has cost so far: by the kernel's books, not by the worker's word."""
        cpu_s = max(0.0, self._cpu_s() - self._cpu_before_s)
        status = self._status()
        self.usage = Usage(cpu_s, _bytes_in(status, b"VmHWM:") or self.usage.peak_bytes)
        self._own_bytes = _bytes_in(status, b"RssAnon:") or self._own_bytes

    def _status(self) -> bytes:
        try:
            return os.pread(self._status_fd, 4096, 0)
        except OSError:  # the process is gone
            return b""

    def _cpu_s(self) -> float:
        try:
            return time.clock_gettime(self._cpu_clock)
        except OSError:  # the process is gone
            return self._cpu_before_s


def _bytes_in(status: bytes, field: bytes) -> int:
    """A field of /proc/<pid>/status, which counts in kilobytes; 0 for a process without memory, a zombie."""
    _, found, rest = status.partition(field)
    return int(rest.split(maxsplit=1)[0]) << 10 if found else 0
