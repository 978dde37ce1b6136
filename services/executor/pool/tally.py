"""Counts since the start, for the health page; the ends of workers among them are the metrics' too."""

from collections import Counter
from collections.abc import Callable

from services.executor.pool.worker import Worker
from shared import telemetry


class Tally:
    """What has happened to the workers of one pool. A worker ends once, for one reason.

    `way` names the reason of one that ended by itself, by its exit status.
    """

    def __init__(self, pool: str, *, way: Callable[[int | None], str] = lambda _: "died") -> None:
        self._pool = pool
        self._way = way
        self.counts: Counter[str] = Counter()
        self._starts = {kind: telemetry.WORKER_STARTS.labels(pool, kind) for kind in ("warm", "spare", "cold")}

    def shows(self, state: str, count: Callable[[], int]) -> None:
        """Have the metrics say how many workers are in a state: `busy`, `warm` or `spare`."""
        telemetry.WORKERS.labels(self._pool, state).set_function(count)

    def started(self, *, warm: bool, spare: bool = False) -> None:
        """A call got a worker that was there, or a new one, which may have waited as a spare."""
        self.counts["warm" if warm else "cold"] += 1
        self._starts["warm" if warm else "spare" if spare else "cold"].inc()

    def ended(self, worker: Worker) -> None:
        """A worker has ended. If it did so by itself, how is known only when its exit status is."""
        reason = worker.reason
        if reason == "died":
            worker.exited.add_done_callback(lambda exited: self._count(self._way(exited.result())))
        elif reason is not None:
            self._count(reason)

    def _count(self, reason: str) -> None:
        self.counts[reason] += 1
        telemetry.WORKERS_ENDED.labels(self._pool, reason).inc()
