"""Who uses what: calls, failures and time of each tenant, and the functions that cost most."""

from deploy.grafana.dashboard import Board, Row, choice
from deploy.grafana.panel import curves, table
from deploy.grafana.query import FUNCTION, TENANT, mean, none, rate, share, zero

CALLS = "shoal_function_invocations_total"
RUN = "shoal_function_run_seconds"
FAILED = f'{TENANT}, status="FAILURE"'
TO_FUNCTION = (
    "/d/shoal-function?${__url_time_range}&${datasource:queryparam}"
    "&var-tenant=${__data.fields.tenant}&var-function=${__data.fields.function}"
)

TENANTS = Row(
    title="Tenants",
    panels=[
        curves(
            "Calls",
            "Ended calls of each tenant. `other` are those beyond SHOAL_METRICS_TENANTS, together.",
            [("{{tenant}}", none(rate(CALLS, "tenant", where=TENANT), "tenant"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Failed calls",
            "Ended calls that failed.",
            [("{{tenant}}", none(rate(CALLS, "tenant", where=FAILED), "tenant"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Slots",
            "How many slots each keeps busy on average. Look here when others wait.",
            [("{{tenant}}", none(rate(f"{RUN}_sum", "tenant", where=TENANT), "tenant"))],
            stacked=True,
        ),
        curves(
            "Run, mean",
            "How long calls run.",
            [("{{tenant}}", mean(RUN, "tenant", where=TENANT))],
            unit="s",
        ),
        curves(
            "Refused for their rate",
            "Requests answered 429, of all tenants: by class of request, and by whose limit, a token's or a tenant's.",
            [("{{class}} of {{subject}}", none(rate("shoal_rate_limited_total", "class", "subject"), "class"))],
            unit="reqps",
            stacked=True,
        ),
        curves(
            "Failing",
            "The share of the chosen tenants' calls that failed.",
            [("failing", share(rate(CALLS, where=FAILED), rate(CALLS, where=TENANT)))],
            unit="percentunit",
            limits=[0.05, 0.2],
        ),
    ],
)

_RATE = "tenant_function:shoal_function_invocations:rate5m"
_FAILURES = "tenant_function:shoal_function_invocations:failed_rate5m"
_TIME = "tenant_function:shoal_function_run_seconds_sum:rate5m"
_BUCKETS = "tenant_function_le:shoal_function_run_seconds_bucket:rate5m"

FUNCTIONS = Row(
    title="Functions",
    panels=[
        table(
            "Functions, of the last five minutes",
            "The fifty called most. Made of recording rules (deploy/prometheus/recording.yaml), as every series of "
            "every function is looked at.",
            [
                ("Calls", "ops", f"topk(50, {_RATE}{{{FUNCTION}}})"),
                (
                    "Failing",
                    "percentunit",
                    f"({_FAILURES}{{{FUNCTION}}} or 0 * {_RATE}{{{FUNCTION}}}) / ({_RATE}{{{FUNCTION}}} > 0)",
                ),
                (
                    "Run, p95",
                    "s",
                    f"histogram_quantile(0.95, {_BUCKETS}{{{FUNCTION}}})",
                ),
                ("Slots", "short", f"{_TIME}{{{FUNCTION}}}"),
            ],
            links={"function": TO_FUNCTION},
        ),
        curves(
            "Called most",
            "The ten functions that are called most.",
            [("{{tenant}} / {{function}}", zero(f"topk(10, {_RATE}{{{FUNCTION}}})"))],
            unit="ops",
            width=12,
        ),
        curves(
            "Most of the time",
            "The ten functions that keep most slots busy.",
            [("{{tenant}} / {{function}}", zero(f"topk(10, {_TIME}{{{FUNCTION}}})"))],
            width=12,
        ),
    ],
)

BOARD = Board(
    uid="shoal-tenants",
    title="Shoal: tenants",
    what="Who uses what: calls, failures and time of each tenant, and the functions that cost most.",
    rows=[TENANTS, FUNCTIONS],
    variables=[
        choice("tenant", "Tenant", f"label_values({CALLS}, tenant)"),
        choice("function", "Function", f'label_values({CALLS}{{tenant=~"$tenant"}}, function)'),
    ],
)
