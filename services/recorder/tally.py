"""Counts the ends of calls into the metrics of their functions: each once, whatever is read again.

An end counts when its sequence is above the one up to which its function is counted, and a write names that one: of
two recorders that count the same end, one finds that it has been. What is known of the functions is kept at hand, and
looked up again when a write shows that it is out of date.

Ends are gathered and written a few times a second, beside the batches and not in their way. The recorder's place in the
log is written down after a flush: what was gathered and never written is read again.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from services.recorder.forgetting import Forgetting
from shared import telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.domain.function import SYSTEM_ID
from shared.domain.metrics import HOURS, Hour, Metrics, bucket_of, duration_us, hour_of
from shared.domain.problem import Problem
from shared.store import metrics
from shared.store.client import Store
from shared.store.metrics import Added, Known

_FLUSH_S = 0.25
_MOST = 20_000  # functions at hand, 300 bytes each; and ends that wait for the store
_TRIES = 5  # each is lost only to another recorder, or to a change of the database from outside
_log = telemetry.logger("recorder")


class End(NamedTuple):
    """What counts of an end. `took_us` is None where nothing was run."""

    sequence: int
    tenant: str
    accepted: float
    done: float
    took_us: int | None
    status: int
    failed: bool

    @classmethod
    def of(cls, delivery: Delivery[Finished]) -> "End":
        """Of an event."""
        body, outcome = delivery.body, delivery.body.outcome
        accepted, done, took_us = body.timeline.accepted, body.timeline.done, duration_us(body.timeline)
        return cls(delivery.sequence, body.tenant, accepted, done, took_us, outcome.status_code, outcome.failed)


class Tally:
    """One recorder's turn at counting. `stream` is when the stream of events was made: sequences are of that one."""

    def __init__(self, store: Store, forgetting: Forgetting, *, stream: str) -> None:
        self._store = store
        self._forgetting = forgetting
        self._stream = stream
        self._gathered: dict[int, list[End]] = {}
        self._waiting = 0
        self._known: dict[int, Known | None] = {}  # None: it has no metrics yet
        self._vanished: set[int] = set()

    async def add(self, ends: Iterable[Delivery[Finished]]) -> None:
        """Gather these ends, in the order of their sequences; one that comes again is the same one.

        Raises Problem(unavailable) when too many wait for the store.
        """
        if self._waiting > _MOST:
            await self.flush()
        for delivery in ends:
            if delivery.body.function_id == SYSTEM_ID:  # one for all tenants and all system functions
                continue
            if delivery.body.outcome.status == "CANCELLED":  # neither a success nor an error
                continue
            gathered = self._gathered.setdefault(delivery.body.function_id, [])
            if not gathered or gathered[-1].sequence < delivery.sequence:
                gathered.append(End.of(delivery))
                self._waiting += 1

    async def run(self) -> None:
        """Write what is gathered, now and then, until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_S)
            try:
                await self.flush()
            except Problem as problem:
                _log.warning("metrics wait", reason=problem.message)
            except Exception:  # noqa: BLE001 - the loop that logs our own faults and goes on
                _log.exception("counting failed")

    async def flush(self) -> None:
        """Write all that was gathered before. Raises Problem(unavailable), and keeps it."""
        async with self._forgetting.counting:
            gathered, self._gathered, self._waiting = self._gathered, {}, 0
            try:
                await self._write({id: ends for id, ends in gathered.items() if not self._forgetting.knows(id)})
            except BaseException:
                for id, ends in gathered.items():
                    self._gathered[id] = ends + self._gathered.get(id, [])
                self._waiting = sum(map(len, self._gathered.values()))
                raise

    async def _write(self, gathered: dict[int, list[End]]) -> None:
        await self._look(id for id in gathered if id not in self._known)
        for _ in range(_TRIES):
            additions = [one for id, ends in gathered.items() if (one := self._addition(id, ends))]
            if not additions:
                return
            if await metrics.add(self._store, additions):
                self._known |= {one.function_id: one.after for one in additions}
                while len(self._known) > _MOST:  # those that were looked up first; they are again
                    del self._known[next(iter(self._known))]
                return
            await self._look(gathered)
        raise Problem("unavailable", "The metrics are being changed by others")

    async def _look(self, ids: Iterable[int]) -> None:
        """Learn up to where these are counted.

        One that had metrics and has none was removed from outside: what is left of it here is not all. With its
        function that is as it should be; with the whole database, the next turn counts everything from the beginning.
        """
        wanted = set(ids)
        if not wanted:
            return
        found = await metrics.known(self._store, wanted)
        gone = {id for id in wanted if id not in found and self._known.get(id) is not None}
        if gone:
            _log.warning("metrics are gone", functions=len(gone))
            self._vanished |= gone
        self._known |= {id: found.get(id) for id in wanted}

    def _addition(self, function_id: int, ends: Sequence[End]) -> Added | None:
        if function_id in self._vanished:
            return None
        known = self._known[function_id]
        applied = known.applied if known is not None and known.stream == self._stream else 0
        new = [end for end in ends if end.sequence > applied]
        if not new:
            return None
        # An executor whose clock is ahead must not push out what the others have counted.
        latest = min(max(hour_of(end.done) for end in new), hour_of(time.time()) + 1)
        newest = max(0 if known is None else known.hour, latest)
        after = Known(self._stream, new[-1].sequence, newest)
        return Added(new[0].tenant, function_id, known, after, counted(new, newest=newest))


def counted(ends: Sequence[End], *, newest: int) -> Metrics:
    """What these ends, at least one, add to their function's metrics; `newest` is the last hour that counts. Pure."""
    latency: dict[int, int] = {}
    hours: dict[int, Hour] = {}
    for end in ends:
        hour = hour_of(end.done)
        if newest - HOURS < hour <= newest:
            before = hours.get(hour, Hour())
            hours[hour] = Hour(before.total + 1, before.errors + end.failed)
        if end.took_us is not None:
            bucket = bucket_of(end.took_us)
            latency[bucket] = latency.get(bucket, 0) + 1
    return Metrics(
        total=len(ends),
        errors=sum(end.failed for end in ends),
        duration_us=sum(end.took_us or 0 for end in ends),
        last_at=datetime.fromtimestamp(max(end.accepted for end in ends), UTC),
        last_status=ends[-1].status,
        hours=hours,
        latency=latency,
    )
