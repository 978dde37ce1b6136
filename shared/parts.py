"""The parts of one answer that is made while it is sent, as the one who waits takes them: in order, each once."""

import asyncio
from collections.abc import Callable

from shared.bus.messages import Part, Taken

Respond = Callable[[str, Taken], None]
"""Answer a request: where to, and what."""

_TAKEN, _UNWANTED = Taken(), Taken(wanted=False)


class Parts:
    """One stream. Holds one part at most: its sender has no other before that one was handed on."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._run = ""
        self._handed_on = 0  # parts, which is the number of the next one
        self._held: Part | None = None
        self._reply_to = ""
        self._given = False  # the part that is held is with its taker
        self._over = False
        self._news = asyncio.Event()

    def offered(self, part: Part, reply_to: str) -> None:
        """A part has come, or has come again because its sender got no answer yet."""
        foreign = bool(self._run) and part.run != self._run
        if self._over or foreign or part.number > self._handed_on:  # what came before it is not here
            self._respond(reply_to, _UNWANTED)
            return
        self._run = part.run
        if part.number < self._handed_on:
            self._respond(reply_to, _TAKEN)
            return
        self._reply_to = reply_to
        if self._held is None:
            self._held = part
            self._news.set()

    async def take(self) -> Part | None:
        """The next part, as soon as it comes; None when the stream is over. The former one was handed on."""
        if self._given:
            self._let_go(_TAKEN)
            self._handed_on += 1
        while self._held is None and not self._over:
            self._news.clear()
            await self._news.wait()
        self._given = self._held is not None
        return self._held

    def end(self, *, lost: bool) -> None:
        """No other part comes. What is held is still to be taken, unless nobody will."""
        self._over = True
        self._news.set()
        if self._held is not None and (lost or self._given):
            self._let_go(_UNWANTED)

    def _let_go(self, taken: Taken) -> None:
        self._held, self._given = None, False
        self._respond(self._reply_to, taken)
