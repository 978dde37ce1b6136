"""Is the work on its way, or does it pile up? Streams, consumers, dead letters, the recorder, orphans."""

from deploy.grafana.dashboard import Board, Row
from deploy.grafana.panel import curves, figure, heatmap
from deploy.grafana.query import buckets, none, quantile, rate, within_an_hour, zero

NOW = Row(
    title="Now",
    panels=[
        figure(
            "Waiting",
            "Messages that no consumer has taken yet, of all streams.",
            zero("sum(max by (stream, consumer) (shoal_consumer_pending))"),
            limits=[10_000, 100_000],
        ),
        figure(
            "In hand",
            "Messages that were handed out and are not acknowledged yet.",
            zero("sum(max by (stream, consumer) (shoal_consumer_unacknowledged))"),
        ),
        figure(
            "On disk",
            "What all streams of Shoal take on the bus's disk.",
            zero("sum(max by (stream) (shoal_stream_bytes))"),
            unit="bytes",
        ),
        figure(
            "Recorder lag",
            "How far the record is behind what has happened.",
            zero("max(shoal_recorder_lag_seconds)"),
            unit="s",
            limits=[5, 30],
        ),
        figure("Dead letters", "Letters that are kept in DEAD.", zero("max(shoal_dead_letters_kept)"), limits=[1]),
        figure("Orphans", "Not ended, though nobody has them.", zero("max(shoal_orphans)"), limits=[1]),
        figure(
            "Ran twice",
            "Within an hour: ends of tasks that had ended before. After a kill some may; else there should be none.",
            within_an_hour("shoal_ran_twice_total"),
            limits=[1],
        ),
        figure(
            "Handed out again",
            "Messages a second, handed out once more: their lease ran out, or whoever had them gave them back.",
            zero(rate("shoal_messages_redelivered_total")),
            unit="ops",
        ),
    ],
)

BUS = Row(
    title="Bus",
    panels=[
        curves(
            "Messages in streams",
            "INVOKE and EVENTS keep what was, and are bounded; WORK is what is queued.",
            [("{{stream}}", "max by (stream) (shoal_stream_messages)")],
        ),
        curves(
            "Size of streams",
            "On disk. INVOKE, EVENTS and DEAD give up their oldest messages at their bounds (SHOAL_*_BYTES).",
            [("{{stream}}", "max by (stream) (shoal_stream_bytes)")],
            unit="bytes",
        ),
        curves(
            "Messages that wait",
            "By consumer. What grows and does not shrink is a service that is too slow, or away.",
            [("{{stream}} {{consumer}}", "max by (stream, consumer) (shoal_consumer_pending)")],
        ),
        curves(
            "Messages in hand",
            "Handed out and not acknowledged.",
            [("{{stream}} {{consumer}}", "max by (stream, consumer) (shoal_consumer_unacknowledged)")],
        ),
        curves(
            "Handed out again",
            "By stream.",
            [("{{stream}}", none(rate("shoal_messages_redelivered_total", "stream"), "stream"))],
            unit="ops",
        ),
        curves(
            "Lanes",
            "Tenants' queues that each executor takes work from.",
            [("{{pool}} {{instance}}", "sum by (pool, instance) (shoal_lanes_open)")],
        ),
        curves(
            "Router",
            "Commands that were decided: sent on, or refused.",
            [("{{decision}}", none(rate("shoal_invocations_routed_total", "decision"), "decision"))],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Dead letters, by stream and reason",
            "What was given up: the class of the error, or `unreadable`, which is a fault of ours.",
            [
                (
                    "{{stream}} {{reason}}",
                    none(rate("shoal_dead_letters_total", "stream", "reason"), "reason"),
                )
            ],
            unit="ops",
            stacked=True,
        ),
        curves(
            "Ran twice, cancelled too late",
            "Ends that came when the task had ended already, and runs that were at their end when they were cancelled.",
            [
                ("ran twice", zero(rate("shoal_ran_twice_total"))),
                ("cancelled too late", zero(rate("shoal_cancelled_late_total"))),
            ],
            unit="ops",
        ),
    ],
)

RECORD = Row(
    title="Record",
    panels=[
        curves(
            "Lag",
            "How far the record is behind what has happened.",
            [("{{instance}}", "shoal_recorder_lag_seconds")],
            unit="s",
            limits=[5, 30],
        ),
        curves(
            "Written",
            "Events and commands that were written into MongoDB, a second.",
            [("events and commands", zero(rate("shoal_events_recorded_total")))],
            unit="ops",
        ),
        curves(
            "Done to recorded",
            "The last stage of an invocation: what the recorder and MongoDB take.",
            [
                (f"p{part * 100:.0f}", quantile(part, "shoal_stage_seconds", where='stage="recorded"'))
                for part in (0.5, 0.95, 0.99)
            ],
            unit="s",
        ),
        heatmap(
            "Messages in one write",
            "Many in each is a recorder that catches up, or much traffic; one each is calm.",
            buckets("shoal_recorder_batch_size"),
            unit="short",
        ),
        curves(
            "Orphans and dead letters",
            "What has to be looked at by somebody.",
            [("orphans", zero("max(shoal_orphans)")), ("dead letters", zero("max(shoal_dead_letters_kept)"))],
            width=12,
        ),
    ],
)

BOARD = Board(
    uid="shoal-bus-and-store",
    title="Shoal: bus and store",
    what="Whether work is on its way or piles up: streams, consumers, dead letters, the recorder, orphans.",
    rows=[NOW, BUS, RECORD],
)
