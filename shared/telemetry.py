"""Log actions and metrics, one vocabulary. A log line is an action (a few words, always the same) and its facts."""

import re

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from shared.log_lines import About, Logger, about, configure, logger, no_more

__all__ = ["About", "Logger", "about", "configure", "logger", "no_more"]

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which says when the process began

# From half a millisecond to the platform's longest call.
STAGE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
# Fewer, as there are so many functions.
FUNCTION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300)
REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

ACCEPTED = Counter("shoal_invocations_accepted", "Commands stored in the INVOKE stream", ["trigger"])
ROUTED = Counter("shoal_invocations_routed", "Commands decided by the router", ["decision"])
FINISHED = Counter("shoal_invocations_finished", "Invocations whose end is on record", ["status", "mode", "trigger"])
FAILED = Counter("shoal_invocations_failed", "Ends that are no success, by the type of the error", ["mode", "error"])
STAGE = Histogram(
    "shoal_stage_seconds",
    "From the stage before to this one, of invocations that are on record",
    ["stage", "mode"],
    buckets=STAGE_BUCKETS_S,
)
TOTAL = Histogram(
    "shoal_invocation_seconds",
    "From the acceptance of an invocation until its end is on record",
    ["mode", "status"],
    buckets=STAGE_BUCKETS_S,
)
OF_FUNCTION = Counter(
    "shoal_function_invocations", "Invocations of a function whose end is on record", ["tenant", "function", "status"]
)
RUN = Histogram(
    "shoal_function_run_seconds",
    "How long the last attempt of an invocation ran",
    ["tenant", "function"],
    buckets=FUNCTION_BUCKETS_S,
)
BUSY = Gauge("shoal_slots_busy", "Calls that run now", ["pool"])
SLOTS = Gauge("shoal_slots", "Calls that may run side by side", ["pool"])
LANES = Gauge("shoal_lanes_open", "Lanes that this executor takes work from", ["pool"])
RECORDED = Counter("shoal_events_recorded", "Events and commands written to the store")
BATCH = Histogram(
    "shoal_recorder_batch_size", "Messages in one write", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
)
RECORDER_LAG = Gauge("shoal_recorder_lag_seconds", "How old what is recorded now is; 0 where nothing came of late")
ORPHANS = Gauge("shoal_orphans", "Invocations that have not ended, though nobody has them any more")
DEAD = Counter(
    "shoal_dead_letters", "Letters put into DEAD: the class of the error, or unreadable", ["stream", "reason"]
)
REDELIVERED = Counter("shoal_messages_redelivered", "Messages handed out again", ["stream"])
RAN_TWICE = Counter("shoal_ran_twice", "Ends reported for tasks whose end had been reported before", ["pool"])
CANCELLED = Counter(
    "shoal_invocations_cancelled", "Invocations that somebody cancelled, by how far they were", ["stage"]
)
CANCELLED_LATE = Counter(
    "shoal_cancelled_late", "Runs that had come to their end when their invocation was cancelled", ["pool"]
)
EXPIRED = Counter("shoal_invocations_swept", "Invocations that nobody has taken before they expired")
RATE_LIMITED = Counter(
    "shoal_rate_limited", "Requests refused because there were too many in a minute", ["class", "subject"]
)
LIMITS_REACHED = Counter("shoal_limits_reached", "Invocations that met one of their limits", ["pool", "limit"])
WORKERS = Gauge(
    "shoal_workers",
    "Worker processes: with a call, waiting for one of their function's, without a function",
    ["pool", "state"],
)
WORKER_STARTS = Counter(
    "shoal_worker_starts",
    "Calls by the worker that they got: a new one, one that had no function, a used one",
    ["pool", "kind"],
)
WORKERS_ENDED = Counter("shoal_workers_ended", "Worker processes of functions that ended", ["pool", "reason"])
EGRESS_REFUSED = Counter("shoal_egress_refused", "Connections of functions that were not made", ["reason"])
TICKS = Counter("shoal_schedule_ticks", "Ticks of schedules, by what became of them", ["state"])
LATENESS = Histogram(
    "shoal_schedule_lateness_seconds",
    "From the moment a tick was due until its run was submitted",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
S3_EVENTS = Counter(
    "shoal_s3_events", "Uploads told, by what became of each for each function that it matched", ["verdict"]
)
RETRIED = Counter("shoal_attempts_retried", "Attempts that failed and were followed by another one", ["error"])
LEFT_OUT = Counter("shoal_matches_left_out", "Functions that an event did not set off: it matched too many", ["kind"])
SOCKETS = Gauge("shoal_sockets", "Websockets that are open")
FRAMES = Counter("shoal_frames", "Messages of websockets, by what became of them", ["verdict"])
SOURCES_RUN = Gauge("shoal_event_sources", "Event sources that this process runs")
SOURCE_FAULTS = Counter("shoal_event_source_faults", "Faults of event sources", ["kind", "reason"])
SOURCE_UNREAD = Counter("shoal_event_source_unread", "Messages to event sources in which nothing can be read", ["kind"])
WEBHOOKS = Counter(
    "shoal_webhooks", "Requests at webhooks, by who signs and what became of them", ["source", "verdict"]
)
ATTEMPTS_LEFT_OUT = Counter(
    "shoal_webhook_attempts_left_out",
    "Requests at webhooks that were not written down, by whose bound it was",
    ["bound"],
)
LOG_LINES = Counter("shoal_logs_lines", "Lines of functions passed on while their calls ran", ["pool"])
LOGS_DROPPED = Counter("shoal_logs_dropped", "Lines of functions that were not told while their calls ran", ["where"])
LOG_FOLLOWERS = Gauge("shoal_log_followers", "Who follows logs of functions now")
REQUESTS = Counter("shoal_http_requests", "HTTP requests answered", ["method", "status"])
REQUEST = Histogram(
    "shoal_http_request_seconds",
    "From an HTTP request until its answer begins",
    ["dialect", "class"],
    buckets=REQUEST_BUCKETS_S,
)


_QUOTED = re.compile(r"'[^']*'")  # a decoder repeats what it could not take: that is for DEAD, and not for the log


class BusWatch:
    """Logs and counts what the bus tells (`shared.bus.watch.Watch`)."""

    def __init__(self) -> None:
        self._log = logger("bus")

    def trouble(self, action: str, **facts: object) -> None:
        """Something did not work, and will be tried again."""
        self._log.warning(action, **facts)

    def fault(self, action: str, error: Exception, **facts: object) -> None:
        """A handler raised what it should not: a bug of ours."""
        self._log.error(action, exc_info=error, **facts)

    def redelivered(self, stream: str) -> None:
        """A message was handed out again."""
        REDELIVERED.labels(stream).inc()

    def buried(self, stream: str, sequence: int, reason: str) -> None:
        """A message went to DEAD."""
        DEAD.labels(stream, "unreadable").inc()
        self._log.error("dead letter", stream=stream, sequence=sequence, reason=_QUOTED.sub("'…'", reason))

    def died(self, stream: str, error_class: str) -> None:
        """An invocation went to DEAD: that is in its record, too, and may be as often as its function fails."""
        DEAD.labels(stream, error_class).inc()
