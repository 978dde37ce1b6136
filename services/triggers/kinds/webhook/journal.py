"""What became of every request at a webhook: counted, logged, and written into the store behind its answer."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.triggers.config import Triggers
from shared import telemetry
from shared.bus.streams import DAY_S
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.attempts import Attempt, Attempts
from shared.store.client import Store

_MINUTE_S = 60.0
_BATCH = 500
_PAUSE_S = 0.25  # what comes within it is one write
_AWAY_S = 1.0  # until a store that is away is tried again
_LAST_WRITES_S = 2.0
_log = telemetry.logger("webhook")


class Journal:
    """A bounded queue before the store. It delays nobody: what is too much is left out, and counted."""

    def __init__(self, store: Store, settings: Triggers) -> None:
        self._store = store
        self._kept_s = settings.attempt_days * DAY_S
        self._a_minute = settings.attempts_a_minute
        self._most = settings.attempts_queue
        self._waiting: deque[tuple[str, Attempt]] = deque()
        self._news = asyncio.Event()
        self._is_ending = False
        self._minute = 0
        self._noted: Counter[tuple[str, int]] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, function: Function, attempt: Attempt) -> None:
        """Write it down soon."""
        telemetry.WEBHOOKS.labels(attempt.source, attempt.verdict).inc()
        if self._is_too_many(function):
            telemetry.ATTEMPTS_LEFT_OUT.labels("function").inc()
            return
        _log.info(
            "webhook",
            tenant=function.tenant,
            function=function.slug,
            source=attempt.source,
            verdict=attempt.verdict,
            reason=attempt.reason,
            delivery_id=attempt.delivery_id,
            task_id=attempt.task_id,
            ip=attempt.ip,
            status=attempt.status,
        )
        if len(self._waiting) >= self._most:
            telemetry.ATTEMPTS_LEFT_OUT.labels("queue").inc()
            return
        self._waiting.append((function.tenant, attempt))
        self._news.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Write for as long as the block runs, then what is left."""
        writing = asyncio.create_task(self._write_on(), name="webhook-journal")
        try:
            yield
        finally:
            self._is_ending = True
            self._news.set()
            await asyncio.wait({writing}, timeout=_LAST_WRITES_S)
            writing.cancel()
            await asyncio.wait({writing}, timeout=_LAST_WRITES_S)  # a batch that was not written waits again
            telemetry.ATTEMPTS_LEFT_OUT.labels("store").inc(len(self._waiting))

    def _is_too_many(self, function: Function) -> bool:
        minute = int(time.monotonic() / _MINUTE_S)
        if minute != self._minute:
            self._minute = minute
            self._noted.clear()
        self._noted[function.tenant, function.id] += 1
        return self._noted[function.tenant, function.id] > self._a_minute

    async def _write_on(self) -> None:
        while self._waiting or not self._is_ending:
            await self._news.wait()
            if not self._is_ending:
                await asyncio.sleep(_PAUSE_S)
            self._news.clear()
            try:
                while self._waiting:
                    await self._write()
            except Problem as problem:
                _log.warning("attempts cannot be written", reason=problem.message)
                await asyncio.sleep(_AWAY_S)
                self._news.set()
            except Exception as error:  # noqa: BLE001 - the loop: a batch that cannot be written must not stop the others
                _log.error("attempts were lost", exc_info=error)
                self._news.set()

    async def _write(self) -> None:
        """The oldest of those who wait, of one tenant; what cannot be written waits on. Raises Problem(unavailable)."""
        tenant = self._waiting[0][0]
        batch: list[Attempt] = []
        others: deque[tuple[str, Attempt]] = deque()
        taken = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        for whose, attempt in taken:
            (batch.append(attempt) if whose == tenant else others.append((whose, attempt)))
        try:
            await Attempts(self._store, tenant).insert(batch, kept_s=self._kept_s)
        except (Problem, asyncio.CancelledError):
            others = deque(taken)
            raise
        finally:
            self._waiting.extendleft(reversed(others))
