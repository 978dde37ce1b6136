"""One measurement, and the middle of several."""

import statistics
from collections.abc import Sequence

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a load client saw. `served` counts its warm-up too, `client_cpu` is its own share of one core.

    `others` is the share of the whole machine that went to processes outside the benchmark meanwhile.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int
    served: int
    errors: int = 0
    first_error: str = ""
    client_cpu: float = 0.0
    others: float = 0.0
    cpu_us: dict[str, float] = {}


def percentile(ordered: Sequence[int], share: float) -> float:
    """The smallest value that `share` of the values do not exceed; 0 for none."""
    return float(ordered[max(0, -int(-share * len(ordered) // 1) - 1)]) if ordered else 0.0


def summarize(latencies_ns: Sequence[int], *, seconds: float, served: int, client_cpu: float = 0.0) -> Sample:
    """A Sample of calls that all ended within `seconds`."""
    ordered = sorted(latencies_ns)
    return Sample(
        rate=len(ordered) / seconds,
        p50_ms=percentile(ordered, 0.50) / 1e6,
        p99_ms=percentile(ordered, 0.99) / 1e6,
        max_ms=(ordered[-1] if ordered else 0) / 1e6,
        count=len(ordered),
        served=served,
        client_cpu=client_cpu,
    )


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure over the rounds; counts and errors are summed."""
    labels = {label for sample in samples for label in sample.cpu_us}
    return Sample(
        rate=statistics.median(one.rate for one in samples),
        p50_ms=statistics.median(one.p50_ms for one in samples),
        p99_ms=statistics.median(one.p99_ms for one in samples),
        max_ms=max(one.max_ms for one in samples),
        count=sum(one.count for one in samples),
        served=sum(one.served for one in samples),
        errors=sum(one.errors for one in samples),
        first_error=next((one.first_error for one in samples if one.first_error), ""),
        client_cpu=statistics.median(one.client_cpu for one in samples),
        others=statistics.median(one.others for one in samples),
        cpu_us={label: statistics.median(one.cpu_us.get(label, 0.0) for one in samples) for label in sorted(labels)},
    )
