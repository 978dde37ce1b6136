"""What the metrics say of the ends that are on record: each counted once by this process, with its stages.

All of a batch is observed when it is written. The slowest of it in each histogram is the exemplar: to give one for each
would cost more than all else here.
"""

import time
from collections.abc import Container, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from prometheus_client import Counter, Histogram

from services.recorder.lag import Lag
from shared import labels, telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.labels import NONE, FunctionLabels

_LONGEST = 40  # of what is an exemplar's label: names and values may have 128 characters together
_SAMPLED = tuple("13579bdf")  # W3C's flag, the last bit: somebody keeps the trace. A random id is told by the next one
_MOST_FAILED = 20_000  # ends
_STAGES = {stage: attrgetter(stage) for stage in ("routed", "picked", "started", "done")}

Ends = list[Delivery[Finished]]


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
        kinds: dict[tuple[str, str, str], Ends] = {}
        functions: dict[tuple[str, str, str], Ends] = {}
        for end in new:
            body = end.body
            status = body.outcome.status
            kinds.setdefault((status, body.mode or NONE, body.trigger_type), []).append(end)
            functions.setdefault((*self._functions.of(body.tenant, body.function), status), []).append(end)
            if status != "SUCCESS":
                self._counter(telemetry.FAILED, body.mode or NONE, labels.error(body.outcome.error_type)).inc()
        for kind, ends in kinds.items():
            self._of_kind(kind, ends, recorded)
        for whose, ends in functions.items():
            self._counter(telemetry.OF_FUNCTION, *whose).inc(len(ends))
            ran = [end for end in ends if end.body.timeline.started]
            took = [end.body.timeline.done - end.body.timeline.started for end in ran]
            _observe(self._histogram(telemetry.RUN, *whose[:2]), took, ran)

    def _of_kind(self, kind: tuple[str, str, str], ends: Ends, recorded: float) -> None:
        status, mode, _ = kind
        self._counter(telemetry.FINISHED, *kind).inc(len(ends))
        whole = [recorded - end.body.timeline.accepted for end in ends]
        _observe(self._histogram(telemetry.TOTAL, mode, status), whole, ends)
        for stage, times, of in stages(ends, recorded=recorded):
            _observe(self._histogram(telemetry.STAGE, stage, mode), times, of)

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


def stages(ends: Ends, *, recorded: float) -> Iterator[tuple[str, list[float], Ends]]:
    """For each stage, of the ends that came to it from the one before, how long that took, and which these are. Pure.

    What never ran is never `done`.
    """
    before = [end.body.timeline.accepted for end in ends]
    for stage, reached in _STAGES.items():
        moments = [reached(end.body.timeline) for end in ends]
        if all(moments) and all(before):  # nearly always
            yield stage, [moment - since for moment, since in zip(moments, before, strict=True)], ends
        else:
            came = [place for place in range(len(ends)) if moments[place] and before[place]]
            yield stage, [moments[place] - before[place] for place in came], [ends[place] for place in came]
        before = moments
    yield "recorded", [recorded - end.body.timeline.done for end in ends], ends


def _observe(histogram: Histogram, times: list[float], of: Ends) -> None:
    """The slowest one is the exemplar. Two clocks may differ, and nothing takes less than no time."""
    if not times:
        return
    slowest = times.index(max(times))
    for place, seconds in enumerate(times):
        histogram.observe(max(seconds, 0.0), exemplar_of(of[place]) if place == slowest else None)


def exemplar_of(end: Delivery[Finished]) -> dict[str, str]:
    """What leads from a figure to one invocation of those that it is of: its trace too, where that is kept."""
    found = {"task_id": end.body.task_id[:_LONGEST]}
    _, trace_id, _, flags = (end.trace.parent.split("-") + [""] * 4)[:4]
    if trace_id and flags.endswith(_SAMPLED):
        found["trace_id"] = trace_id[:_LONGEST]
    return found
