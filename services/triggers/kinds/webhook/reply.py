"""The handler's own answer, for a sender that waits for it."""

import asyncio

import msgspec

from services.triggers.kinds.webhook.places import Place
from shared import answers
from shared.answers import Answer, Told
from shared.domain.outcome import Outcome
from shared.domain.request import Response
from shared.exchange import Receive, Watch
from shared.waiting import Wait

_EARLY_S = 0.1  # a timer may be this much ahead of the clock
_BAD_ANSWER = 502


class Reply:
    """The answer to one delivery, whose run may take `limits.timeout_s`; it is waited for `within_s` at most."""

    def __init__(self, wait: Wait, receive: Receive, place: Place, *, within_s: float) -> None:
        self._wait = wait
        self._receive = receive
        self._limits = place.limits
        self._began = asyncio.get_running_loop().time()
        self._until = self._began + within_s
        self.has_failed = False

    async def answer(self) -> Answer:
        """What the sender is told. An answer that is made while it is sent is told when it is whole."""
        watch = Watch(self._wait, self._receive)
        try:
            head, body = await self._parts()
            if len(body) > self._limits.result_bytes:
                self.has_failed = True
                return answers.plain(_BAD_ANSWER, error=f"The answer is longer than {self._limits.result_bytes} bytes")
            outcome = await self._wait.outcome()
        finally:
            watch.end()
        return self._told(outcome if head is None or outcome is None else _whole(outcome, head, bytes(body)))

    async def _parts(self) -> tuple[Response | None, bytearray]:
        head: Response | None = None
        body = bytearray()
        while (part := await self._wait.part()) is not None:
            head = head or part.head
            body += part.data
            if len(body) > self._limits.result_bytes:
                self._wait.give_up()
                break
        return head, body

    def _told(self, outcome: Outcome | None) -> Answer:
        now = asyncio.get_running_loop().time()
        told = Told(self._limits.timeout_s, now - self._began, is_owner=False, is_head=False)
        if outcome is not None:
            self.has_failed = outcome.failed
            return answers.answer_of(outcome, told)
        if now >= self._until - _EARLY_S:
            return answers.unanswered(told, self._wait.task_id)
        return answers.away(self._wait.task_id)


def _whole(outcome: Outcome, head: Response, body: bytes) -> Outcome:
    """The outcome with the answer whose parts came before it; a run that broke off has none."""
    if outcome.status != "SUCCESS":
        return outcome
    return msgspec.structs.replace(outcome, response=msgspec.structs.replace(head, body=body, streamed=False))
