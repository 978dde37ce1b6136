"""Is it well, and if not, where? The dashboard to begin with."""

from deploy.grafana.boards.machines import EXECUTORS, PROCESSES
from deploy.grafana.dashboard import Board, Row
from deploy.grafana.panel import curves, figure, heatmap
from deploy.grafana.query import SERVICES, buckets, mean, none, quantile, quantiles, rate, share, zero

FINISHED = "shoal_invocations_finished_total"

NOW = Row(
    title="Now",
    panels=[
        figure(
            "Alerts",
            "Alerts of deploy/prometheus/alerts.yaml that fire. What each means and what to do: docs/runbooks.md.",
            zero('count(ALERTS{alertstate="firing", alertname=~"Shoal.+"})'),
            limits=[1],
        ),
        figure(
            "Services down",
            "Processes that Prometheus knows of and cannot scrape.",
            zero(f"count(up{{{SERVICES}}} == 0)"),
            limits=[1],
        ),
        figure("Calls", "Invocations whose end was recorded, a second.", zero(rate(FINISHED)), unit="ops"),
        figure(
            "Failing",
            "The share of ended calls that failed. One function's are its author's matter, all functions' are yours.",
            share(rate(FINISHED, where='status="FAILURE"'), rate(FINISHED)),
            unit="percentunit",
            limits=[0.05, 0.2],
        ),
        figure(
            "Queued",
            "Calls that are dispatched, and that no executor has yet, of all pools.",
            zero("sum(max by (pool) (shoal_queue_depth))"),
            limits=[1_000, 100_000],
            link="shoal-bus-and-store",
        ),
        figure(
            "Oldest queued",
            "How long the call has waited that has waited longest.",
            zero("max(shoal_queue_oldest_seconds)"),
            unit="s",
            limits=[10, 60],
            link="shoal-bus-and-store",
        ),
        figure(
            "Recorder lag",
            "How far the record is behind what has happened. Who waits does not notice; who reads results does.",
            zero("max(shoal_recorder_lag_seconds)"),
            unit="s",
            limits=[5, 30],
            link="shoal-bus-and-store",
        ),
        figure(
            "Orphans",
            "Invocations that have not ended, though nobody has them any more. There should be none, ever.",
            zero("max(shoal_orphans)"),
            limits=[1],
            link="shoal-bus-and-store",
        ),
    ],
)

TRAFFIC = Row(
    title="Traffic",
    panels=[
        curves(
            "Accepted, by what set them off",
            "Commands that are on the bus's disk.",
            [("{{trigger}}", none(rate("shoal_invocations_accepted_total", "trigger"), "trigger"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Ended, by status",
            "Each invocation once, when its end is on record.",
            [("{{status}}", none(rate(FINISHED, "status"), "status"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Ended, by mode",
            "Which kind of function the calls were of.",
            [("{{mode}}", none(rate(FINISHED, "mode"), "mode"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Errors, by kind",
            "Ends that are no success. A function's own exceptions are `other`; all else are the platform's words.",
            [("{{error}}", none(rate("shoal_invocations_failed_total", "error"), "error"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Tried again, dead, cancelled",
            "Attempts that another one follows, letters put into DEAD, calls that were cancelled or not taken in time.",
            [
                ("tried again", zero(rate("shoal_attempts_retried_total"))),
                ("dead letters", zero(rate("shoal_dead_letters_total"))),
                ("cancelled", zero(rate("shoal_invocations_cancelled_total"))),
                ("expired", zero(rate("shoal_invocations_swept_total"))),
            ],
            unit="ops",
        ),
        curves(
            "HTTP answers",
            "Of the API, by status. 429 is a limit that was met, 503 is Shoal's own want.",
            [("{{status}}", none(rate("shoal_http_requests_total", "status"), "status"))],
            unit="reqps",
            stacked=True,
        ),
    ],
)

LATENCY = Row(
    title="How long it takes",
    panels=[
        curves(
            "Accepted to recorded",
            "The whole way of an invocation. Points are examples: each names a task.",
            quantiles("shoal_invocation_seconds"),
            unit="s",
        ),
        curves(
            "Stages, mean",
            "From the stage before to this one. The sum of the means is the mean of the whole.",
            [("{{stage}}", mean("shoal_stage_seconds", "stage"))],
            unit="s",
            stacked=True,
        ),
        curves(
            "Stages, p95",
            "`routed` and `picked` are waiting, `started` is the worker, `done` the function, `recorded` the recorder.",
            [("{{stage}}", quantile(0.95, "shoal_stage_seconds", "stage"))],
            unit="s",
        ),
        heatmap(
            "Accepted to recorded",
            "How many took how long. Two bands are two kinds of calls: warm and cold, or two functions.",
            buckets("shoal_invocation_seconds"),
        ),
        heatmap(
            "Waiting for a slot",
            "From the router to an executor's slot (stage `picked`). What grows here is a queue.",
            buckets("shoal_stage_seconds", where='stage="picked"'),
        ),
        curves(
            "HTTP answers, p95",
            "Until the answer begins, by dialect of the API and by class of request: calls wait for their function.",
            [("{{dialect}} {{class}}", quantile(0.95, "shoal_http_request_seconds", "dialect", "class"))],
            unit="s",
        ),
        curves(
            "Accepted to recorded, p95, by mode",
            "Which kind of function takes long.",
            [("{{mode}}", quantile(0.95, "shoal_invocation_seconds", "mode"))],
            unit="s",
        ),
        curves(
            "Started, p95, by mode",
            "From an executor's slot to a running function: cold starts are in it.",
            [("{{mode}}", quantile(0.95, "shoal_stage_seconds", "mode", where='stage="started"'))],
            unit="s",
        ),
    ],
)

BOARD = Board(
    uid="shoal-overview",
    title="Shoal: overview",
    what="Whether Shoal is well, and where to look if not: traffic, errors, latency by stage, queues, slots, workers.",
    rows=[NOW, TRAFFIC, LATENCY, EXECUTORS, PROCESSES],
)
