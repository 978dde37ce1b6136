"""What this process has settled lately: an acknowledgement is sent, not confirmed, and may be lost with a server."""

import time
from collections import OrderedDict, deque

from nats.aio.msg import Msg

from shared.bus.place import Place

_MOST = 20_000  # messages, of some 300 bytes each; what is settled and forgotten is looked for in the record


class Settled:
    """Of one consumer, of which a process may have thousands: what was settled `kept_s` before the newest is forgotten.

    A message is known by its sequence and its time: a stream that is made anew counts again.
    """

    def __init__(self, *, kept_s: float) -> None:
        self._kept_s = kept_s
        self._replies: OrderedDict[tuple[int, int], str] = OrderedDict()
        self._settled_at: deque[float] = deque()  # in the same order

    def add(self, message: Msg) -> None:
        """This one is done."""
        place, now = Place.of(message), time.monotonic()
        known = (place.sequence, place.time_ns)
        if known not in self._replies:
            self._settled_at.append(now)
        self._replies[known] = message.reply
        while len(self._settled_at) > _MOST or self._settled_at[0] < now - self._kept_s:
            self._settled_at.popleft()
            self._replies.popitem(last=False)

    def knows(self, place: Place) -> bool:
        """Whether it was done, though it has come again."""
        return (place.sequence, place.time_ns) in self._replies

    def last(self, most: int) -> list[str]:
        """Where the last ones were acknowledged, the newest first."""
        replies = reversed(self._replies.values())
        return [reply for _, reply in zip(range(most), replies, strict=False)]
