"""One function: how often it is called, how it ends, how long it runs."""

from deploy.grafana.dashboard import Board, Row, choice
from deploy.grafana.panel import curves, figure, heatmap, note
from deploy.grafana.query import FUNCTION, buckets, mean, none, quantile, quantiles, rate, share, zero

CALLS = "shoal_function_invocations_total"
RUN = "shoal_function_run_seconds"
FAILED = f'{FUNCTION}, status="FAILURE"'

NOTE = note(
    "",
    "The first functions that a recorder sees have series of their own, 200 of 50 tenants, 100 of one at most "
    "(`SHOAL_METRICS_FUNCTIONS`, `SHOAL_METRICS_TENANTS`); the others are `other`. Exact counts of every function: "
    "`shoal ps`, and `GET /v1/{app_id}/functions/{name}`.",
    height=2,
)

NOW = Row(
    title="$tenant / $function",
    panels=[
        NOTE,
        figure("Calls", "Ended calls, a second.", zero(rate(CALLS, where=FUNCTION)), unit="ops"),
        figure(
            "Failing",
            "The share of ended calls that failed.",
            share(rate(CALLS, where=FAILED), rate(CALLS, where=FUNCTION)),
            unit="percentunit",
            limits=[0.05, 0.2],
        ),
        figure("Run, median", "Half of the calls run shorter.", quantile(0.5, RUN, where=FUNCTION), unit="s"),
        figure("Run, p95", "One call of twenty runs longer.", quantile(0.95, RUN, where=FUNCTION), unit="s"),
        figure("Run, p99", "One call of a hundred runs longer.", quantile(0.99, RUN, where=FUNCTION), unit="s"),
        figure(
            "Slots",
            "How many slots it keeps busy on average: time run in a second.",
            zero(rate(f"{RUN}_sum", where=FUNCTION)),
        ),
        figure(
            "Of all calls",
            "Its share of what the whole platform does.",
            share(rate(CALLS, where=FUNCTION), rate(CALLS)),
            unit="percentunit",
        ),
        figure(
            "Of all time run",
            "Its share of the time that all functions run.",
            share(rate(f"{RUN}_sum", where=FUNCTION), rate(f"{RUN}_sum")),
            unit="percentunit",
        ),
    ],
)

OVER_TIME = Row(
    title="Over time",
    panels=[
        curves(
            "Ended, by status",
            "Each invocation once, when its end is on record.",
            [("{{status}}", none(rate(CALLS, "status", where=FUNCTION), "status"))],
            unit="ops",
            stacked=True,
            width=12,
        ),
        curves(
            "Run",
            "How long the last attempt ran, without waiting. Points are examples: each names a task.",
            quantiles(RUN, where=FUNCTION),
            unit="s",
            width=12,
        ),
        heatmap(
            "Run",
            "How many ran how long. A second band is a cold start, a cache that missed, or another kind of request.",
            buckets(RUN, where=FUNCTION),
        ),
        curves(
            "Run, mean, by function",
            "To compare, when several are chosen.",
            [("{{tenant}} / {{function}}", mean(RUN, "tenant", "function", where=FUNCTION))],
            unit="s",
            width=12,
        ),
    ],
)

BOARD = Board(
    uid="shoal-function",
    title="Shoal: one function",
    what="How often a function is called, how its calls end, how long they run.",
    rows=[NOW, OVER_TIME],
    variables=[
        choice("tenant", "Tenant", f"label_values({CALLS}, tenant)"),
        choice("function", "Function", f'label_values({CALLS}{{tenant=~"$tenant"}}, function)'),
    ],
)
