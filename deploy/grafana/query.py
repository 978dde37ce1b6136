"""PromQL, in the few forms that the panels need."""

RATE = "$__rate_interval"
"""Grafana's own: four scrapes at least, so that a rate is never of nothing."""
SERVICES = 'job="shoal"'
"""Shoal's processes, under whatever name they are scraped (deploy/prometheus/prometheus.yaml)."""
FUNCTION = 'tenant=~"$tenant", function=~"$function"'
TENANT = 'tenant=~"$tenant"'


def rate(counter: str, *by: str, where: str = "") -> str:
    """How often a second, summed over all processes."""
    return f"{_sum(by)}(rate({counter}{_where(where)}[{RATE}]))"


def quantile(part: float, histogram: str, *by: str, where: str = "") -> str:
    """A quantile of a histogram, of what was observed in the last moments; not a number where that is nothing."""
    buckets = f"{_sum(('le', *by))}(rate({histogram}_bucket{_where(where)}[{RATE}]))"
    return f"histogram_quantile({part}, {buckets})"


def quantiles(histogram: str, *, where: str = "") -> list[tuple[str, str]]:
    """The median and the two that tell of trouble, each with its name."""
    return [(f"p{part * 100:.0f}", quantile(part, histogram, where=where)) for part in (0.5, 0.95, 0.99)]


def within_an_hour(counter: str, *, where: str = "") -> str:
    """How often it happened within an hour, of all processes."""
    return zero(f"sum(increase({counter}{_where(where)}[1h]))")


def mean(histogram: str, *by: str, where: str = "") -> str:
    """The mean of what was observed; of stages, means add up to the whole, and quantiles do not."""
    return f"{rate(histogram + '_sum', *by, where=where)} / {rate(histogram + '_count', *by, where=where)}"


def buckets(histogram: str, *, where: str = "") -> str:
    """What a heatmap is drawn of."""
    return f"sum by (le) (increase({histogram}_bucket{_where(where)}[{RATE}]))"


def share(part: str, whole: str) -> str:
    """One rate as a share of another; 0 where there is neither."""
    return zero(f"({part}) / ({whole} > 0)")


def zero(expr: str) -> str:
    """The expression, or 0 where it has nothing to say: no fault is a fact."""
    return f"{expr} or on() vector(0)"


def none(expr: str, label: str) -> str:
    """The same for series that are told apart by a label: one named `none`, at 0."""
    return f'{expr} or on() label_replace(vector(0), "{label}", "none", "", "")'


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"


def _where(matchers: str) -> str:
    return f"{{{matchers}}}" if matchers else ""
