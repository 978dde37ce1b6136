"""What travels on the floor's bus, and where."""

from typing import Any

import msgspec
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

FUNCTION = "calculate-tax"
DATABASE = "floor"
COLLECTION = "invocations"

IN = "FLOOR_IN"
WORK = "FLOOR_WORK"
EVENTS = "FLOOR_EVENTS"

# Work that is delivered and not yet acknowledged: the bound of what one process holds.
HELD = 1024
HELD_BY_RECORDER = 20_000


class Params(msgspec.Struct, frozen=True):
    """The tax function's input."""

    amount: float = 0
    rate: float = 0.1


class Call(msgspec.Struct, frozen=True):
    """The HTTP body."""

    params: msgspec.Raw = msgspec.Raw(b"{}")
    asynchronous: bool = msgspec.field(default=False, name="async")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Run this; answer on `reply_to` when it is not empty. Times are Unix seconds."""

    task_id: str
    function: str
    params: msgspec.Raw
    accepted_at: float
    routed_at: float = 0.0
    reply_to: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome, as the caller and the record get it."""

    task_id: str
    status: str
    result: dict[str, Any] = {}


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What the recorder writes down."""

    task_id: str
    function: str
    status: str
    result: dict[str, Any]
    accepted_at: float
    routed_at: float
    done_at: float


STREAMS = (
    StreamConfig(
        name=IN, subjects=["in.>"], storage=StorageType.FILE, retention=RetentionPolicy.LIMITS, duplicate_window=120
    ),
    StreamConfig(name=WORK, subjects=["work.>"], storage=StorageType.FILE, retention=RetentionPolicy.WORK_QUEUE),
    StreamConfig(name=EVENTS, subjects=["events.>"], storage=StorageType.FILE, retention=RetentionPolicy.LIMITS),
)
CONSUMERS = (
    (IN, ConsumerConfig(durable_name="forwarder", ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=HELD)),
    (WORK, ConsumerConfig(durable_name="responder", ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_ack_pending=HELD)),
    # One reader in stream order: acknowledging the last of a batch acknowledges all of it.
    (
        EVENTS,
        ConsumerConfig(
            durable_name="recorder", ack_policy=AckPolicy.ALL, ack_wait=30, max_ack_pending=HELD_BY_RECORDER
        ),
    ),
)
