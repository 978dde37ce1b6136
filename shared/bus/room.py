"""How much may be in hand: of one consumer alone, or of many that share what there is.

Of those that share, each may always have something, so that none of them can keep another from being heard.
"""

import time
from collections.abc import Callable
from typing import Protocol

IN_HAND_BYTES = 128 << 20  # of all messages that take room
_REQUEST_BYTES = 32 << 20  # of one request; over any one message, so that each can come
_SMALL_BYTES = 256 << 10  # what a request may bring that no room is set aside for
_ACTIVE_S = 1.0


class Room(Protocol):
    """What a puller asks before it asks for messages, and tells of those that came."""

    def messages(self) -> int:
        """How many it may have, in hand and asked for together."""
        ...

    def least(self, messages: int) -> int:
        """How many of so many are worth a request."""
        ...

    def request_bytes(self, used: int, *, large: bool, standing: int) -> int:
        """How many bytes one more request may bring, 0 for none now; until it is `ended` they are set aside.

        `used` are those that it has in hand, `standing` its other requests; `large` says that a message did not fit
        into what it asked for before.
        """
        ...

    def ended(self, size: int) -> None:
        """A request for so many bytes stands no more."""
        ...

    def came(self, size: int) -> None:
        """A message takes room from now on."""
        ...

    def went(self, size: int) -> None:
        """It takes none any more."""
        ...


class Own:
    """The room of one consumer that shares with nobody: `in_hand` messages, asked for by `least` at once."""

    def __init__(self, in_hand: int, least: int) -> None:
        self._in_hand = in_hand
        self._least = least

    def messages(self) -> int:
        """Always the same."""
        return self._in_hand

    def least(self, messages: int) -> int:
        """Always the same."""
        return self._least

    def request_bytes(self, used: int, *, large: bool, standing: int) -> int:
        """A part of the bound on all, whatever the size of the messages."""
        return _REQUEST_BYTES if used + (standing + 1) * _REQUEST_BYTES <= IN_HAND_BYTES else 0

    def ended(self, size: int) -> None:
        """Nothing: `standing` says it."""

    def came(self, size: int) -> None:
        """Nothing: `used` says it."""

    def went(self, size: int) -> None:
        """Nothing: `used` says it."""


class Shared:
    """Room for `in_hand` messages: those who have some now have equal parts, and one alone may have it all.

    `chunk` of them are worth a request. `message_bytes` is the most that one message may have. Whoever has nothing in
    hand may ask for a little at any time: what that comes to is bounded by the number of those who share.
    """

    def __init__(self, in_hand: int, *, chunk: int, message_bytes: int) -> None:
        self.in_hand = in_hand
        self.chunk = chunk
        self.large_bytes = message_bytes + _SMALL_BYTES
        self.open = 0
        self.active = 0
        self.bytes = 0  # in hand, or set aside for requests
        self._refused: list[Callable[[], None]] = []

    def refuse(self, again: Callable[[], None]) -> None:
        """Call `again` when there is more room."""
        self._refused.append(again)

    def less(self, size: int) -> None:
        """So many bytes are free."""
        self.bytes -= size
        if self._refused:
            again, self._refused = self._refused, []
            for call in again:
                call()


class Part:
    """One's part of a `Shared` room, never more than `most` messages. `again` is called when a refused one may ask."""

    def __init__(self, of: Shared, again: Callable[[], None], *, most: int) -> None:
        self.most = most
        self.resting = False  # it asks for nothing, until something comes that was asked for before
        self.leaving = False  # nor then
        self.came_at = time.monotonic()
        self._of = of
        self._again = again
        self._used = 0
        self._is_active = False
        of.open += 1

    def messages(self) -> int:
        """A part of what those have who have some, or of what all could have."""
        if self.resting:
            return 0
        others = self._of.active if self._is_active else self._of.open
        return min(self.most, max(1, self._of.in_hand // max(1, others)))

    def least(self, messages: int) -> int:
        """As large a part of these as `chunk` is of all."""
        return max(1, messages * self._of.chunk // self._of.in_hand)

    def request_bytes(self, used: int, *, large: bool, standing: int) -> int:
        """A little that is not counted, or where that is not enough a part of what all have together."""
        of = self._of
        if large:
            self._wake()
            mine, size = used + standing * of.large_bytes, of.large_bytes
            if (mine and mine + size > IN_HAND_BYTES // of.active) or (of.bytes and of.bytes + size > IN_HAND_BYTES):
                of.refuse(self._again)
                return 0
            of.bytes += size
            return size
        if used and of.bytes > IN_HAND_BYTES:
            of.refuse(self._again)
            return 0
        return _SMALL_BYTES

    def ended(self, size: int) -> None:
        """What is little was not counted."""
        if size > _SMALL_BYTES:
            self._of.less(size)

    def came(self, size: int) -> None:
        """It is one of those who have some."""
        self._used += 1
        self.resting = self.leaving
        self._of.bytes += size
        self._wake()

    def went(self, size: int) -> None:
        """There is more room for all."""
        self._used -= 1
        self._of.less(size)

    def doze(self, now: float) -> None:
        """One that has had nothing for a while leaves its part to the others."""
        if self._is_active and not self._used and now - self.came_at > _ACTIVE_S:
            self._is_active = False
            self._of.active -= 1

    def close(self) -> None:
        """Share no more. What is in hand was handed back before."""
        self._of.open -= 1
        if self._is_active:
            self._of.active -= 1

    def _wake(self) -> None:
        self.came_at = time.monotonic()
        if not self._is_active:
            self._is_active = True
            self._of.active += 1
