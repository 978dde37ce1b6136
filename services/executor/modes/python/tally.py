"""Counts since the start, for the health page; the ends of workers among them are the metrics' too."""

from collections import Counter

from services.executor.modes.python.exits import MEMORY_EXIT, VIOLATION_STATUS
from services.executor.modes.python.worker_link import WorkerLink
from shared import telemetry


class Tally:
    """What has happened to the workers of one pool. A worker ends once, for one reason."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self.counts: Counter[str] = Counter()

    def started(self, *, warm: bool) -> None:
        """A call got a worker that was there, or a new one."""
        self.counts["warm" if warm else "cold"] += 1

    def ended(self, link: WorkerLink) -> None:
        """A worker has ended. If it did so by itself, how is known only when its exit status is."""
        reason = link.reason
        if reason == "died":
            link.exited.add_done_callback(lambda exited: self._count(_way(exited.result())))
        elif reason is not None:
            self._count(reason)

    def _count(self, reason: str) -> None:
        self.counts[reason] += 1
        telemetry.WORKERS_ENDED.labels(self._pool, reason).inc()


def _way(status: int | None) -> str:
    if status == VIOLATION_STATUS:
        return "violation"
    return "memory" if status == MEMORY_EXIT else "died"
