"""Reading a stream as a log, from a place that the reader keeps itself. Nothing is acknowledged, nothing redelivered.

For a reader whose work is idempotent and who writes its place down: it costs the server and the reader a fifth less
than acknowledging each message does, and a place that is set back reads everything again.
"""

from collections.abc import Callable

from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.bus.broker import Bus
from shared.bus.place import Place
from shared.bus.requests import Requests
from shared.bus.room import Own

_UNUSED_S = 60.0  # the server forgets a reader's consumer after so long a silence


class LogReader:
    """Calls `arrived` for each message after `position`, in order, each at least once while it is open.

    A `sparse` stream is one that keeps the last message of each subject alone: then gaps are nothing to speak of.
    """

    def __init__(
        self, bus: Bus, stream: str, arrived: Callable[[Msg, Place], None], *, in_hand: int, sparse: bool = False
    ) -> None:
        self.stream = stream
        self._sparse = sparse
        self._bus = bus
        self._deliver = arrived
        self._requests = Requests(
            bus, room=Own(in_hand, max(1, in_hand // 4)), arrived=self._arrived, revive=self._revive
        )
        self._consumer = ""
        self._received = 0  # sequence of the last message that came
        self._next = 1  # the consumer's own count: a gap means that messages were lost on the way
        self._open: dict[int, Msg] = {}  # came, but not done: ascending

    @property
    def position(self) -> int:
        """Everything up to this sequence is done."""
        return next(iter(self._open), self._received + 1) - 1

    async def start(self, *, after: int) -> None:
        """Begin behind the sequence `after`."""
        self._received = after
        await self._requests.start()

    async def stop(self) -> None:
        """Take no more."""
        await self._requests.stop()

    def done(self, sequence: int) -> None:
        """This message need not come again."""
        message = self._open.pop(sequence, None)
        if message is not None:
            self._requests.room_made(message)

    def check(self) -> None:
        """Called now and then: notices a request that was lost."""
        self._requests.check()

    async def _revive(self) -> str:
        if self._sparse and (await self._bus.stream.stream_info(self.stream)).state.last_seq < self._received:
            self._received = 0  # it was made anew
        info = await self._bus.stream.add_consumer(
            self.stream,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self._received + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=_UNUSED_S,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        self._consumer, self._next = info.name, 1
        return f"{self.stream}.{info.name}"

    def _arrived(self, message: Msg) -> None:
        place = Place.of(message)
        if place.consumer != self._consumer:  # of a consumer that was given up
            self._requests.room_made(message)
        elif place.number != self._next:
            self._requests.room_made(message)
            self._requests.lose()
        else:
            if self._received and place.sequence > self._received + 1 and not self._sparse:
                self._bus.watch.trouble("log has a gap", stream=self.stream, after=self._received, at=place.sequence)
            self._next += 1
            self._received = place.sequence
            self._open[place.sequence] = message
            self._deliver(message, place)
