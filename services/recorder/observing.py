"""What the metrics say of the ends that are on record: each counted once by this process, with its stages.

All of a batch is observed when it is written. The slowest of it in each histogram is the exemplar: to give one for each
would cost more than all else here.
"""

import time
from collections.abc import Container, Iterable, Sequence
from typing import Any

from prometheus_client import Counter, Histogram

from services.recorder.lag import Lag
from shared import labels, telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.domain.invocation import Timeline
from shared.labels import NONE, FunctionLabels

_LONGEST = 40  # of what is an exemplar's label: names and values may have 128 characters together
_SAMPLED = "01"  # W3C's flag: somebody keeps the trace
_MOST_FAILED = 20_000  # ends
_STAGES = ("routed", "picked", "started", "done")


class Times:
    """One histogram's part of a batch."""

    def __init__(self) -> None:
        self._seen: dict[Histogram, list[tuple[float, Delivery[Finished]]]] = {}

    def add(self, histogram: Histogram, seconds: float, of: Delivery[Finished]) -> None:
        """It took so long. Two clocks may differ, and nothing takes less than no time."""
        self._seen.setdefault(histogram, []).append((max(0.0, seconds), of))

    def observe(self) -> None:
        """Tell the histograms."""
        for histogram, seen in self._seen.items():
            slowest = max(range(len(seen)), key=lambda place: seen[place][0])
            for place, (seconds, of) in enumerate(seen):
                histogram.observe(seconds, exemplar_of(of) if place == slowest else None)


class Observing:
    """Counts ends for as long as the process lives; `functions` says which have labels of their own."""

    def __init__(self, functions: FunctionLabels) -> None:
        self._functions = functions
        self._counters: dict[tuple[Any, ...], Counter] = {}
        self._histograms: dict[tuple[Any, ...], Histogram] = {}
        self._failed: set[int] = set()
        self._stream = ""
        self._upto = 0
        self.lag = Lag()

    def begin(self, stream: str) -> None:
        """Events are read of the stream that was made at `stream`: sequences are of that one."""
        if stream != self._stream:
            self._stream, self._upto = stream, 0
            self._failed.clear()

    def failed(self, ended: Iterable[Delivery[Finished]]) -> None:
        """To write these has failed, half way maybe: the next try finds some on record that it has not put there."""
        if len(self._failed) < _MOST_FAILED:
            self._failed.update(end.sequence for end in ended)

    def written(self, ended: Sequence[Delivery[Finished]], again: Container[int]) -> None:
        """They are on record, with these sequences; those that are `again` were before, by a try of ours maybe.

        What is read once more, as somebody else has recorded meanwhile or the database was emptied, is not counted.
        """
        new = [
            end
            for end in ended
            if end.sequence > self._upto and (end.sequence not in again or end.sequence in self._failed)
        ]
        self._failed.difference_update(end.sequence for end in ended)
        self._upto = max([self._upto, *(end.sequence for end in ended)])
        self.observe(new, recorded=time.time())

    def observe(self, new: Iterable[Delivery[Finished]], *, recorded: float) -> None:
        """Count them; they were on record at `recorded`, Unix seconds."""
        times = Times()
        for end in new:
            body = end.body
            status, mode, timeline = body.outcome.status, body.mode or NONE, body.timeline
            self._counter(telemetry.FINISHED, status, mode, body.trigger_type).inc()
            if status != "SUCCESS":
                self._counter(telemetry.FAILED, mode, labels.error(body.outcome.error_type)).inc()
            for stage, seconds in stages(timeline, recorded=recorded):
                times.add(self._histogram(telemetry.STAGE, stage, mode), seconds, end)
            times.add(self._histogram(telemetry.TOTAL, mode, status), recorded - timeline.accepted, end)
            self._of_function(end, times)
        times.observe()

    def _of_function(self, end: Delivery[Finished], times: Times) -> None:
        body = end.body
        tenant, function = self._functions.of(body.tenant, body.function)
        self._counter(telemetry.OF_FUNCTION, tenant, function, body.outcome.status).inc()
        if body.timeline.started:
            run_s = body.timeline.done - body.timeline.started
            times.add(self._histogram(telemetry.RUN, tenant, function), run_s, end)

    # Looked up once: labels cost more than the count. There are few, as all labels are bounded.

    def _counter(self, of: Counter, *values: str) -> Counter:
        found = self._counters.get((of, *values))
        if found is None:
            found = self._counters[of, *values] = of.labels(*values)
        return found

    def _histogram(self, of: Histogram, *values: str) -> Histogram:
        found = self._histograms.get((of, *values))
        if found is None:
            found = self._histograms[of, *values] = of.labels(*values)
        return found


def stages(timeline: Timeline, *, recorded: float) -> list[tuple[str, float]]:
    """Stages that were reached from the one before, and how long each took: what never ran is never done. Pure."""
    reached = [timeline.accepted, *(getattr(timeline, stage) for stage in _STAGES)]
    found = [
        (stage, moment - before)
        for stage, before, moment in zip(_STAGES, reached, reached[1:], strict=False)
        if before and moment
    ]
    return [*found, ("recorded", recorded - timeline.done)]


def exemplar_of(end: Delivery[Finished]) -> dict[str, str]:
    """What leads from a figure to one invocation of those that it is of: its trace too, where that is kept."""
    found = {"task_id": end.body.task_id[:_LONGEST]}
    _, trace_id, _, flags = (end.trace.parent.split("-") + [""] * 4)[:4]
    if trace_id and flags == _SAMPLED:
        found["trace_id"] = trace_id[:_LONGEST]
    return found
