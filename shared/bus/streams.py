"""Streams and consumers as data. Names, subjects and bounds live here; `broker.py` creates what is written here."""

from typing import Literal

import msgspec

DAY_S = 86_400.0

INVOKE = "INVOKE"
WORK = "WORK"
EVENTS = "EVENTS"
DEAD = "DEAD"
RATES = "RATES"
DELIVERIES = "DELIVERIES"
LEASES = "LEASES"
CANCELS = "CANCELS"
KEYS = "KEYS"
STARTS = "STARTS"
SCHEDULES = "SCHEDULES"

UNBOUNDED = 20_000
"""Messages of a consumer that are handed out and not settled, where nothing else bounds them."""
LANE_UNUSED_S = 3600.0
"""How long the server keeps the consumer of a lane that no executor asks for."""
ROUTER = "router"
"""The consumer that says how far the commands are routed."""
SCHEDULER = "scheduler"
"""The consumer of ticks that have come due."""

_RATES_S = 150.0  # two windows of a minute, and some difference between two clocks
_RATES_BYTES = 32 << 20  # a count is about 100 bytes
_DEAD_SHARE = 8  # of the room of events: dead letters are few
_LEAST_DEAD_BYTES = 16 << 20  # more than any one message
_LEASES = 100_000
CANCELS_KEPT = 200_000
_STARTS = 4_000_000


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stored stream. `max_age_s`, `max_bytes` and `max_messages` bound a log, which lets go of its oldest.

    `per_subject` bounds the messages of each subject likewise.
    The server sets bytes aside on its disk, and refuses a stream that it has not: what is small is bounded in number.
    A work queue keeps what is not done, however old and however much. A stream of `counters` is in the bus's
    memory, and keeps one number a subject. One of the `latest` keeps the last message of each subject.
    """

    name: str
    subjects: list[str]
    retention: Literal["limits", "workqueue"] = "limits"
    max_age_s: float = 0.0
    max_bytes: int = -1
    max_messages: int = -1
    per_subject: int = -1
    replicas: int = 1
    dedupe_s: float = 600.0
    schedules: bool = False
    counters: bool = False
    latest: bool = False
    first_sequence: int = 1


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """A durable pull consumer. `in_hand` bounds what one process holds, `lease_s` how long it may be silent.

    It asks for `chunk` messages at least, a quarter of its bound where that is 0. All processes together have at most
    `unsettled` at once. The server forgets one that nobody has asked for `unused_s`, where that is not 0. Where it is
    `fenced`, a process that was stopped for long begins nothing of what it was given before: it may be another's now.
    """

    stream: str
    name: str
    subject: str
    lease_s: float = 30.0
    in_hand: int = 256
    chunk: int = 0
    unsettled: int = UNBOUNDED
    unused_s: float = 0.0
    fenced: bool = False

    @property
    def least(self) -> int:
        """How much room is worth a request."""
        return self.chunk or max(1, self.in_hand // 4)


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's bounds on the streams."""

    replicas: int
    invoke_age_s: float
    invoke_bytes: int
    event_age_s: float
    event_bytes: int
    dedupe_s: float
    delivery_age_s: float
    deliveries: int
    idempotency_s: float
    idempotency_keys: int
    dead_age_s: float
    dead_per_function: int


def streams(bounds: Bounds, *, first_invocation: int) -> list[Stream]:
    """All streams of the platform. `first_invocation` is where ids go on when INVOKE has to be made anew."""
    return [
        Stream(
            name=INVOKE,
            subjects=["invoke.*.*"],
            max_age_s=bounds.invoke_age_s,
            max_bytes=bounds.invoke_bytes,
            replicas=bounds.replicas,
            dedupe_s=bounds.dedupe_s,
            first_sequence=first_invocation,
        ),
        Stream(
            name=WORK,
            subjects=["work.>", "later.>"],
            retention="workqueue",
            # No bound in bytes: "discard new" does not go with schedules (10052), and "discard old" would lose work.
            replicas=bounds.replicas,
            dedupe_s=bounds.dedupe_s,
            schedules=True,
        ),
        Stream(
            name=SCHEDULES,
            subjects=["sched.cron.*.*", "sched.due.*.*"],
            # A plan stays though nobody consumes its subject; a tick that has come goes when it is handled.
            retention="workqueue",
            replicas=bounds.replicas,
            dedupe_s=bounds.dedupe_s,
            schedules=True,
        ),
        Stream(
            name=EVENTS,
            subjects=["events.*.*.*"],
            max_age_s=bounds.event_age_s,
            max_bytes=bounds.event_bytes,
            replicas=bounds.replicas,
            dedupe_s=bounds.dedupe_s,
        ),
        Stream(
            name=DEAD,
            subjects=["dead.*.*"],
            max_age_s=bounds.dead_age_s,
            max_bytes=max(bounds.event_bytes // _DEAD_SHARE, _LEAST_DEAD_BYTES),
            per_subject=bounds.dead_per_function,
            replicas=bounds.replicas,
            dedupe_s=bounds.dedupe_s,
        ),
        *_latest(bounds),
    ]


def _latest(bounds: Bounds) -> list[Stream]:
    """Those of which the last word on each subject counts: nothing in them is known by a message's id."""
    return [
        Stream(
            name=DELIVERIES,
            subjects=["deliveries.*.*.*"],
            max_age_s=bounds.delivery_age_s,
            max_messages=bounds.deliveries,
            replicas=bounds.replicas,
            dedupe_s=1.0,
            latest=True,
        ),
        Stream(
            name=LEASES,
            subjects=["leases.*.*"],
            max_age_s=DAY_S,
            max_messages=_LEASES,
            replicas=bounds.replicas,
            dedupe_s=1.0,
            latest=True,
        ),
        Stream(
            name=CANCELS,
            subjects=["cancels.*.*"],
            max_age_s=bounds.invoke_age_s,  # as long as what is cancelled may wait
            max_messages=CANCELS_KEPT,
            replicas=bounds.replicas,
            dedupe_s=1.0,
            latest=True,
        ),
        Stream(
            name=STARTS,
            subjects=["starts.*.*"],
            max_age_s=bounds.invoke_age_s,  # as long as what has begun may come again
            max_messages=_STARTS,
            replicas=bounds.replicas,
            dedupe_s=1.0,
            latest=True,
        ),
        Stream(
            name=KEYS,
            subjects=["keys.*.*.*"],
            max_age_s=bounds.idempotency_s,
            max_messages=bounds.idempotency_keys,
            replicas=bounds.replicas,
            dedupe_s=1.0,
            latest=True,
        ),
    ]


def rates(*, replicas: int) -> Stream:
    """The counters of the rate limits. Whoever counts lays it, again after a restart of the bus: it is not on disk."""
    return Stream(
        name=RATES,
        subjects=["rates.*.*"],
        max_age_s=_RATES_S,
        max_bytes=_RATES_BYTES,
        replicas=replicas,
        dedupe_s=_RATES_S,
        counters=True,
    )


def router(*, lease_s: float, in_hand: int) -> Consumer:
    """Every command, to whichever router asks first."""
    return Consumer(
        stream=INVOKE,
        name=ROUTER,
        subject="invoke.*.*",
        lease_s=lease_s,
        in_hand=in_hand,
    )


def scheduler(*, lease_s: float, in_hand: int) -> Consumer:
    """Every tick that has come due, to whichever scheduler asks first."""
    return Consumer(
        stream=SCHEDULES,
        name=SCHEDULER,
        subject="sched.due.*.*",
        lease_s=lease_s,
        in_hand=in_hand,
    )


def lane(subject: str, *, lease_s: float, in_hand: int) -> Consumer:
    """The queued work of one lane. Its name is its subject, without the characters that a name may not have."""
    return Consumer(
        stream=WORK,
        name=subject.replace(".", "_"),  # no slug has one; as long as pool, tenant and lane, which are all bounded
        subject=subject,
        lease_s=lease_s,
        in_hand=in_hand,
        unused_s=LANE_UNUSED_S,
        fenced=True,
    )


def pool_before_lanes(name: str) -> str:
    """The consumer that a pool had for all tenants together, before there were lanes: it would hold what is theirs."""
    return f"pool-{name}"
