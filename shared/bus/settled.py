"""What this process has settled lately: an acknowledgement is sent, not confirmed, and may be lost with a server."""

from collections import OrderedDict

from nats.aio.msg import Msg

from shared.bus.place import Place

_MOST = 20_000  # messages, of some 200 bytes each; what is settled and forgotten is looked for in the record


class Settled:
    """Of one consumer. A message is known by its sequence and its time: a stream that is made anew counts again."""

    def __init__(self) -> None:
        self._replies: OrderedDict[tuple[int, int], str] = OrderedDict()

    def add(self, message: Msg) -> None:
        """This one is done."""
        place = Place.of(message)
        self._replies[place.sequence, place.time_ns] = message.reply
        if len(self._replies) > _MOST:
            self._replies.popitem(last=False)

    def knows(self, place: Place) -> bool:
        """Whether it was done, though it has come again."""
        return (place.sequence, place.time_ns) in self._replies

    def last(self, most: int) -> list[str]:
        """Where the last ones were acknowledged, the newest first."""
        replies = reversed(self._replies.values())
        return [reply for _, reply in zip(range(most), replies, strict=False)]
