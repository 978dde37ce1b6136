"""The slot of one call, which it gives to others while it waits for them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.executor.slots import Asker, Slots


class Held:
    """A slot that was taken. It is free while anything of the call waits `aside`, and when the call is over.

    `released` is called when it is given away: what the call's message takes of the room for messages is free, too, or
    those that wait could fill it, and what they wait for would not be fetched.
    """

    def __init__(self, slots: Slots, asker: Asker, *, released: Callable[[], None]) -> None:
        self._slots = slots
        self._asker = asker
        self._released = released
        self._aside = 0
        self._over = False

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Wait for others: however many of these there are at once, there is one slot to give, and to take back."""
        if not self._aside and not self._over:
            self._slots.give(self._asker)
            self._released()
        self._aside += 1
        try:
            yield
        finally:
            self._aside -= 1
            if not self._aside and not self._over:
                self._slots.retake(self._asker)

    def end(self) -> None:
        """The call is over, though something of it may still be about to learn so."""
        self._over = True
        if not self._aside:
            self._slots.give(self._asker)
