"""Reading several logs at once, and handling many messages in one go."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

import msgspec
from nats.aio.msg import Msg

from shared.bus.broker import Bus
from shared.bus.consumer import read
from shared.bus.delivery import Delivery
from shared.bus.graveyard import bury
from shared.bus.log import LogReader
from shared.bus.place import Place
from shared.bus.pull import REDELIVERY_S
from shared.domain.problem import Problem

Batch = list[Delivery[Any]]

_CHECK_S = 5.0


class _Come(NamedTuple):
    log: LogReader
    message: Msg
    place: Place


class _Entry(NamedTuple):
    log: LogReader
    message: Msg
    delivery: Delivery[Any]
    at: float


class BatchReader:
    """Gives `handle` what has come together: `size` messages, or those that came within `linger_s` of the first.

    Messages of a log added with `hold_s` wait that long for one of another log with the same `key`, and come
    with it: what would be two writes is one.

    A batch that meets a Problem (the store is away) is tried again until it works; meanwhile nothing more is pulled
    than `in_hand` of each log, and the rest waits on the bus. `handle` returns the positions it cannot ever
    handle, with the reason; they are buried.
    """

    def __init__(
        self,
        bus: Bus,
        handle: Callable[[Batch], Awaitable[dict[int, str]]],
        *,
        size: int,
        linger_s: float,
        key: Callable[[Any], Hashable],
        in_hand: int = 2000,
    ) -> None:
        self._bus = bus
        self._handle = handle
        self._size = size
        self._linger_s = linger_s
        self._key = key
        self._in_hand = in_hand
        self._hold_s = 0.0
        self._logs: list[LogReader] = []
        self._waiting: list[_Entry] = []
        self._held: dict[Hashable, _Entry] = {}  # in the order of their coming
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False

    def add(self, stream: str, *, body: Any, hold_s: float = 0.0) -> None:
        """Read this stream too; `body` is the type of its messages. Before `start`."""
        decoder = msgspec.json.Decoder(body)
        self._hold_s = max(self._hold_s, hold_s)

        def arrived(message: Msg, place: Place) -> None:
            self._arrived(_Come(log, message, place), decoder, held=hold_s > 0)

        log = LogReader(self._bus, stream, arrived, in_hand=self._in_hand)
        self._logs.append(log)

    @property
    def positions(self) -> dict[str, int]:
        """For each stream, the sequence up to which everything is handled."""
        return {log.stream: log.position for log in self._logs}

    async def start(self, after: dict[str, int]) -> None:
        """Begin to read, each stream behind its sequence in `after`, 0 where it is not named."""
        for log in self._logs:
            await log.start(after=after.get(log.stream, 0))
        self._loop = self._bus.mind(self._run())

    async def stop(self, *, grace_s: float) -> None:
        """Take no more, and handle what is here for up to `grace_s`; the rest will be read again."""
        for log in self._logs:
            await log.stop()
        self._stopping = True
        self._some.set()
        self._full.set()
        if self._loop is not None:
            await asyncio.wait({self._loop}, timeout=grace_s)
            self._loop.cancel()

    def _arrived(self, come: _Come, decoder: msgspec.json.Decoder[Any], *, held: bool) -> None:
        log, message, place = come
        try:
            delivery = read(message, place, decoder, release=partial(log.done, place.sequence))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._bus.mind(self._bury(log, message, f"undecodable: {error}"))
            return
        entry = _Entry(log, message, delivery, time.monotonic())
        key = self._key(delivery.body)
        if held and key not in self._held:
            self._held[key] = entry
            if len(self._held) == 1:  # the loop has a timer for the oldest one
                self._some.set()
            return
        self._waiting.append(entry)
        self._some.set()
        if len(self._waiting) >= self._size:
            self._full.set()

    async def _run(self) -> None:
        while self._waiting or self._held or not self._stopping:
            await self._until_some()
            batch = self._gathered(time.monotonic())
            if batch:
                await self._work(batch)

    async def _until_some(self) -> None:
        """Return when there is a batch to be made: of what does not wait, or of what has waited enough."""
        if not self._waiting and not self._stopping:
            self._some.clear()
            oldest = next(iter(self._held.values()), None)
            left = _CHECK_S if oldest is None else max(0.0, oldest.at + self._hold_s - time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), timeout=left)
            for log in self._logs:
                log.check()
        if self._waiting and len(self._waiting) < self._size and not self._stopping:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), timeout=self._linger_s)

    def _gathered(self, now: float) -> list[_Entry]:
        batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
        for entry in list(batch):
            partner = self._held.pop(self._key(entry.delivery.body), None)
            if partner is not None:
                batch.append(partner)
        due = now if self._stopping else now - self._hold_s
        while len(batch) < self._size and self._held and next(iter(self._held.values())).at <= due:
            batch.append(self._held.pop(next(iter(self._held))))
        return batch

    async def _work(self, batch: list[_Entry]) -> None:
        refused = await self._handled([entry.delivery for entry in batch])
        for position, entry in enumerate(batch):
            if position in refused:
                await self._bury(entry.log, entry.message, refused[position])
            else:
                entry.log.done(entry.delivery.sequence)

    async def _bury(self, log: LogReader, message: Msg, reason: str) -> None:
        """Into DEAD, however long that takes: until then the log's position stays before it."""
        while True:
            try:
                await bury(self._bus, message, stream=log.stream, reason=reason)
            except Problem as problem:
                self._bus.watch.trouble("cannot bury", stream=log.stream, problem=problem.message)
                await asyncio.sleep(REDELIVERY_S)
            else:
                log.done(Place.of(message).sequence)
                return

    async def _handled(self, batch: Batch) -> dict[int, str]:
        while True:
            try:
                return await self._handle(batch)
            except Problem as problem:
                self._bus.watch.trouble("batch waits", count=len(batch), problem=problem.message)
            except Exception as error:  # noqa: BLE001 - the loop that logs our own faults and goes on
                self._bus.watch.fault("batch failed", error, count=len(batch))
            await asyncio.sleep(REDELIVERY_S)
