"""What sets functions off without a caller: schedules, webhooks, websockets, uploads."""

from deploy.grafana.dashboard import Board, Row
from deploy.grafana.panel import curves, figure, heatmap
from deploy.grafana.query import buckets, none, quantiles, rate, within_an_hour, zero

TICKS = "shoal_schedule_ticks_total"
LATENESS = "shoal_schedule_lateness_seconds"
WEBHOOKS = "shoal_webhooks_total"

NOW = Row(
    title="Now",
    panels=[
        figure("Ticks", "Ticks of schedules within an hour.", within_an_hour(TICKS)),
        figure(
            "Ticks left out",
            "Within an hour: missed while nobody was there, or left out as the schedule wishes.",
            within_an_hour(TICKS, where='state="skipped"'),
            limits=[1],
        ),
        figure("Webhooks", "Requests at webhooks, a second.", zero(rate(WEBHOOKS)), unit="reqps"),
        figure(
            "Webhooks rejected",
            "Within an hour: signatures that are wrong, or out of date.",
            within_an_hour(WEBHOOKS, where='verdict="rejected"'),
            limits=[1, 100],
        ),
        figure("Sockets", "Websockets that are open.", zero("sum(shoal_sockets)")),
        figure("Event sources", "Queues and buckets that are read.", zero("sum(shoal_event_sources)")),
        figure(
            "Faults of sources",
            "Within an hour. A source with a fault is tried again, later and later.",
            within_an_hour("shoal_event_source_faults_total"),
            limits=[1, 10],
        ),
        figure(
            "Left out",
            "Within an hour: functions that an event did not set off, as it matched too many.",
            within_an_hour("shoal_matches_left_out_total"),
            limits=[1],
        ),
    ],
)

ALL = Row(
    title="All",
    panels=[
        curves(
            "Accepted, by what set them off",
            "`api` and `http` are callers, `function` is another function.",
            [("{{trigger}}", none(rate("shoal_invocations_accepted_total", "trigger"), "trigger"))],
            unit="ops",
            stacked=True,
            width=12,
        ),
        curves(
            "Ended without success, by what set them off",
            "Nobody waits for these: a failure shows here, in the log of the function and among the dead letters.",
            [
                (
                    "{{trigger}} {{status}}",
                    none(
                        rate("shoal_invocations_finished_total", "trigger", "status", where='status!="SUCCESS"'),
                        "trigger",
                    ),
                )
            ],
            unit="ops",
            stacked=True,
            width=12,
        ),
    ],
)

SCHEDULES = Row(
    title="Schedules",
    panels=[
        curves(
            "Ticks, by what became of them",
            "`fired`, `late` (over two seconds), `caught_up` (one run for all that were missed), `skipped`.",
            [("{{state}}", none(rate(TICKS, "state"), "state"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Lateness",
            "From the moment a tick was due until its run was submitted.",
            quantiles(LATENESS),
            unit="s",
            limits=[2, 60],
        ),
        heatmap("Lateness", "How many ticks were how late.", buckets(LATENESS), width=8),
    ],
)

WEB = Row(
    title="Webhooks and websockets",
    panels=[
        curves(
            "Webhooks, by verdict",
            "What became of them: docs/webhooks.md has the verdicts.",
            [("{{verdict}}", none(rate(WEBHOOKS, "verdict"), "verdict"))],
            unit="reqps",
            stacked=True,
        ),
        curves(
            "Webhooks, by source",
            "Who signs. `none` is a request to a webhook that does not exist.",
            [("{{source}}", none(rate(WEBHOOKS, "source"), "source"))],
            unit="reqps",
            stacked=True,
        ),
        curves(
            "Webhooks not written down",
            "Attempts that are not in the list of their webhook, by whose bound it was.",
            [("{{bound}}", none(rate("shoal_webhook_attempts_left_out_total", "bound"), "bound"))],
            unit="reqps",
        ),
        curves(
            "Sockets",
            "Websockets that are open.",
            [("{{instance}}", "sum by (instance) (shoal_sockets)")],
            stacked=True,
        ),
        curves(
            "Frames",
            "Messages of websockets, by what became of them.",
            [("{{verdict}}", none(rate("shoal_frames_total", "verdict"), "verdict"))],
            unit="ops",
            stacked=True,
        ),
    ],
)

UPLOADS = Row(
    title="Uploads",
    panels=[
        curves(
            "Uploads, by what became of them",
            "Each upload for each function that it matched.",
            [("{{verdict}}", none(rate("shoal_s3_events_total", "verdict"), "verdict"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Faults of event sources",
            "By kind of source and reason; and messages in which nothing can be read.",
            [
                ("{{kind}} {{reason}}", none(rate("shoal_event_source_faults_total", "kind", "reason"), "reason")),
                ("{{kind}} unread", none(rate("shoal_event_source_unread_total", "kind"), "kind")),
            ],
            unit="ops",
        ),
        curves(
            "Functions not set off",
            "An event that matches more functions than it may sets off the first of them.",
            [("{{kind}}", none(rate("shoal_matches_left_out_total", "kind"), "kind"))],
            unit="ops",
        ),
    ],
)

BOARD = Board(
    uid="shoal-triggers",
    title="Shoal: triggers",
    what="What sets functions off without a caller: schedules, webhooks, websockets, uploads.",
    rows=[NOW, ALL, SCHEDULES, WEB, UPLOADS],
)
