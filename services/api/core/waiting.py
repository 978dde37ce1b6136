"""Callers who wait for an outcome: one subscription for all of them, one future for each."""

import asyncio

import msgspec

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Answer
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem

_decode = msgspec.json.Decoder(Answer).decode


class Wait:
    """One caller's wait: it ends with the answer, when its time is up, or when it is given up."""

    def __init__(self, waits: "dict[str, Wait]", task_id: str, *, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._waits = waits
        self._task_id = task_id
        self._answer: asyncio.Future[bytes | None] = loop.create_future()
        self._timer = loop.call_later(within_s, self.give_up)
        waits[task_id] = self

    def answered(self, data: bytes) -> None:
        """End it with an answer."""
        self._end(data)

    def give_up(self) -> None:
        """End it without an answer. Harmless when it has ended."""
        self._end(None)

    async def outcome(self) -> Outcome | None:
        """How the invocation ended; None when the wait ended first."""
        try:
            data = await self._answer
        finally:
            self.give_up()
        return None if data is None else _decode(data).outcome

    def _end(self, data: bytes | None) -> None:
        self._timer.cancel()
        self._waits.pop(self._task_id, None)
        if not self._answer.done():
            self._answer.set_result(data)


class Waiting:
    """All waits of this process."""

    def __init__(self, bus: Bus, *, instance: str, most: int) -> None:
        self._bus = bus
        self._instance = instance
        self._most = most
        self._waits: dict[str, Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    async def open(self) -> None:
        """Listen for answers."""
        await self._bus.hear(self.subject("*"), self._heard)

    def subject(self, task_id: str) -> str:
        """Where the answer to this task is to be sent."""
        return subjects.reply(self._instance, task_id)

    def enter(self, task_id: str, *, within_s: float) -> Wait:
        """Begin to wait, before the command is sent. Raises Problem(unavailable) when too many wait already."""
        if len(self._waits) >= self._most:
            raise Problem("unavailable", f"{self._most} callers wait for results already; try again in a moment")
        return Wait(self._waits, task_id, within_s=within_s)

    def give_up(self) -> None:
        """End every wait."""
        for wait in list(self._waits.values()):
            wait.give_up()

    def _heard(self, data: bytes, subject: str) -> None:
        wait = self._waits.get(subject.rpartition(".")[2])
        if wait is not None:
            wait.answered(data)
