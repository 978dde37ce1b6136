"""Where a delivered message stands, as its reply subject tells: `$JS.ACK.…`, in its short and its long form."""

from typing import NamedTuple

from nats.aio.msg import Msg

# $JS.ACK.stream.consumer.delivery.sequence.number.time.pending; the long form has domain and account before the stream.
_SHORT = 9


class Place(NamedTuple):
    """`sequence` in the stream, `delivery` from 1 and `number` as the consumer counts.

    `time_ns` is when it was stored, Unix nanoseconds.
    """

    consumer: str
    delivery: int
    sequence: int
    number: int
    time_ns: int

    @classmethod
    def of(cls, message: Msg) -> "Place":
        """nats-py's own `metadata` makes two dataclasses and a datetime of it, for six times the cost."""
        tokens = message.reply.split(".")
        first = 3 if len(tokens) == _SHORT else 5
        consumer, delivery, sequence, number, time_ns = tokens[first : first + 5]
        return cls(consumer, int(delivery), int(sequence), int(number), int(time_ns))
