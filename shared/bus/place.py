"""Where a delivered message stands, as its reply subject tells: `$JS.ACK.…`, in its short and its long form."""

from typing import NamedTuple

from nats.aio.msg import Msg

_SHORT = (
    9  # $JS.ACK.stream.consumer.delivered.sequence.consumer_sequence.time.pending; the long form has domain and account
)


class Place(NamedTuple):
    """`sequence` in the stream, `delivery` from 1, `stored_at` in Unix seconds."""

    sequence: int
    delivery: int
    stored_at: float

    @classmethod
    def of(cls, message: Msg) -> "Place":
        """nats-py's own `metadata` makes two dataclasses and a datetime of it, for six times the cost."""
        tokens = message.reply.split(".")
        first = 4 if len(tokens) == _SHORT else 6
        return cls(int(tokens[first + 1]), int(tokens[first]), int(tokens[first + 3]) / 1e9)
