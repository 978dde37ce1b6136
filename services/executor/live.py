"""Lines of calls, passed on while they run to whoever follows: in batches, within bounds, and never waited for."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
from prometheus_client import Counter

from services.executor.config import Executor
from shared import telemetry
from shared.bus import lines as wire
from shared.bus.broker import Bus
from shared.bus.lines import Said
from shared.domain.line import Line, Missed

_BATCH_BYTES = 64 << 10  # of what waits to be sent: then it is sent at once
_LINE_BYTES = 64  # of a line beside its message
_MOST_COUNTED = 1_000_000  # lines of one run that are counted as left out: its worker may name any number
_MOST_QUEUED = 8 << 20  # bytes on their way to the bus: with more it is too slow for lines

_Key = tuple[str, int]


class Rate:
    """How much is let through in any second."""

    def __init__(self, most_lines: int, most_bytes: int) -> None:
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._second = 0
        self._lines = self._bytes = 0

    def takes(self, size: int, now: float) -> bool:
        """Whether one more line of this size may go."""
        if (second := int(now)) != self._second:
            self._second, self._lines, self._bytes = second, 0, 0
        if self._lines >= self._most_lines or self._bytes + size > self._most_bytes:
            return False
        self._lines += 1
        self._bytes += size
        return True


class Live:
    """Implements services.executor.mode.Live for one run of a call."""

    def __init__(self, passing: "Passing", key: _Key, said: Said, *, pool: str) -> None:
        self._passing = passing
        self._key = key
        self._of = said
        self._rate = Rate(*passing.most_of_one)
        self._lines = passing.counter(pool)
        self._told: Callable[[bool], None] | None = None
        self._uncounted = _MOST_COUNTED
        self._last = 0  # the number of the last line that came here
        self._start = 0 if self.wanted else -1
        self.most_lines, self.most_bytes = passing.most_of_one

    @property
    def wanted(self) -> bool:
        """Whether anybody follows just now."""
        return self._passing.wanted(self._key)

    def watch(self, told: Callable[[bool], None]) -> None:
        """Have it told of changes."""
        self._told = told

    def changed(self, wanted: bool) -> None:
        """Somebody begins to follow, or nobody does any more."""
        if not wanted:
            self._start = -1
        if self._told is not None:
            self._told(wanted)

    def say(self, lines: Sequence[Line]) -> None:
        """Pass lines on."""
        if not self.wanted:
            return
        self._begin(lines[0].n)
        now, passed, missed = asyncio.get_running_loop().time(), list[Line](), list[Missed]()
        for line in lines:
            if line.n > self._last + 1:
                missed.append(Missed(self._last + 1, line.n - 1, "rate"))
            self._last = line.n
            size = _LINE_BYTES + len(line.message)
            if self._rate.takes(size, now) and self._passing.rate.takes(size, now):
                passed.append(line)
            else:
                missed.append(Missed(line.n, line.n, "rate"))
        self._lines.inc(len(passed))
        self._pass(passed, missed)

    def miss(self, first: int, last: int) -> None:
        """Lines that the mode itself leaves out, because the call has written too many."""
        if self.wanted:
            self._begin(first)
            self._pass([], [Missed(first, last, "bounds")])
            self._last = last

    def end(self, total: int, *, whole: bool) -> None:
        """The run is over: it has written so many lines, as far as is known, and more where it is not `whole`."""
        self._passing.left(self._key, self)
        if not self.wanted or not (total or self._last):
            return
        self._begin(max(total, self._last) + 1)
        missed = [Missed(self._last + 1, total, "rate")] if total > self._last else []
        if not whole:
            missed = [Missed(self._last + 1, None, "died")]
        self._pass([], missed, total=max(total, self._last))

    def _begin(self, number: int) -> None:
        """The first one that is passed on says from where on."""
        if self._start < 0:
            self._start = number
            self._last = number - 1
        self._start = self._start or 1

    def _pass(self, lines: list[Line], missed: list[Missed], *, total: int = -1) -> None:
        of = self._of
        left_out = sum(one.last - one.first + 1 for one in missed if one.last is not None)
        counted = min(left_out, self._uncounted)
        self._uncounted -= counted
        self._passing.dropped.inc(counted)
        said = Said(of.task_id, of.run, of.attempt, self._start, lines, _joined(missed), total)
        self._passing.put(self._key, said, size=sum(_LINE_BYTES + len(line.message) for line in lines))


class Passing:
    """Who is followed, and what is passed on, of all calls of the executor."""

    def __init__(self, bus: Bus, instance: str, settings: Executor) -> None:
        self._bus = bus
        self._instance = instance
        self._every_s = settings.told_every_s
        self.most_of_one = (settings.told_call_lines, settings.told_call_bytes)
        self.rate = Rate(settings.told_lines, settings.told_bytes)
        self._until: dict[_Key, float] = {}
        self._running: dict[_Key, set[Live]] = {}
        self._waiting: dict[_Key, dict[str, Said]] = {}  # by run
        self._sizes: dict[_Key, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._queue: deque[tuple[_Key, list[Said], int]] = deque()  # with sizes
        self._queued = 0
        self._sending: asyncio.Task[None] | None = None
        self._counters: dict[str, Counter] = {}
        self.dropped = telemetry.LOGS_DROPPED.labels("executor")

    async def open(self) -> None:
        """Hear who is followed, and ask."""
        await wire.hear_followed(self._bus, self._followed)
        await wire.ask(self._bus, self._instance)

    def wanted(self, key: _Key) -> bool:
        """Whether somebody follows this function now."""
        until = self._until.get(key)
        if until is None:
            return False
        if until > asyncio.get_running_loop().time():
            return True
        del self._until[key]
        for live in self._running.get(key, ()):
            live.changed(wanted=False)
        return False

    def live(self, tenant: str, function_id: int, *, task_id: str, attempt: int, started: float, pool: str) -> Live:
        """For one run of a call. It is to be told of its end."""
        key = (tenant, function_id)
        said = Said(task_id, wire.run_of(self._instance, started), attempt, 0, [], [])
        live = Live(self, key, said, pool=pool)
        self._running.setdefault(key, set()).add(live)
        return live

    def counter(self, pool: str) -> Counter:
        """Of lines that are passed on: looked up once, as labels cost more than the count."""
        if pool not in self._counters:
            self._counters[pool] = telemetry.LOG_LINES.labels(pool)
        return self._counters[pool]

    def left(self, key: _Key, live: Live) -> None:
        """This one has ended."""
        running = self._running[key]
        running.discard(live)
        if not running:
            del self._running[key]

    def put(self, key: _Key, said: Said, *, size: int) -> None:
        """Send it soon, together with what else there is of the function."""
        waiting = self._waiting.setdefault(key, {})
        before = waiting.get(said.run)
        if before is not None:
            before.lines.extend(said.lines)
            missed = _joined([*before.missed, *said.missed])
            said = msgspec.structs.replace(said, start=before.start, lines=before.lines, missed=missed)
        waiting[said.run] = said
        self._sizes[key] = self._sizes.get(key, 0) + size + _LINE_BYTES
        if self._sizes[key] >= _BATCH_BYTES:
            self._send(key)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every_s, self._send_all)

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _followed(self, tenant: str, function_id: int, lease_s: float) -> None:
        key, now = (tenant, function_id), asyncio.get_running_loop().time()
        new = self._until.get(key, 0.0) <= now
        self._until[key] = now + lease_s
        if new:
            for live in self._running.get(key, ()):
                live.changed(wanted=True)
            for other in [one for one, until in self._until.items() if until <= now]:
                self.wanted(other)  # which forgets it

    def _send_all(self) -> None:
        self._timer = None
        for key in list(self._waiting):
            self._send(key)

    def _send(self, key: _Key) -> None:
        said, size = list(self._waiting.pop(key).values()), self._sizes.pop(key)
        if self._queued + size > _MOST_QUEUED:
            self._lost(said)
            return
        self._queue.append((key, said, size))
        self._queued += size
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_queued())

    async def _send_queued(self) -> None:
        while self._queue:
            key, said, size = self._queue.popleft()
            sent = await wire.publish(self._bus, *key, said)
            self._queued -= size
            if not sent:
                self._lost(said)

    def _lost(self, said: list[Said]) -> None:
        self.dropped.inc(sum(len(one.lines) for one in said))


def _joined(missed: list[Missed]) -> list[Missed]:
    """Gaps that follow each other as one."""
    joined: list[Missed] = []
    for one in missed:
        before = joined[-1] if joined else None
        if before is not None and before.why == one.why and before.last is not None and before.last + 1 == one.first:
            joined[-1] = Missed(before.first, one.last, one.why)
        else:
            joined.append(one)
    return joined
