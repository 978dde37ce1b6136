"""How a client asks: it repeats what was not answered, as every client has to, and remembers that it did."""

import asyncio
import random
import time
from collections import Counter
from typing import Any

import msgspec

from chaos.http import Client, Response
from chaos.ledger import Ledger, Submission

GIVE_UP_S = 300.0
_FIRST_PAUSE_S, _MOST_PAUSE_S = 0.1, 2.0
_DOUBTFUL = frozenset({0, 502, 503, 504})
_LATER = frozenset({429})
_RUNNING = frozenset({202})


class Doors:
    """The addresses of one lane of clients, of which one is taken at random each time."""

    def __init__(
        self, ledger: Ledger, *, apis: list[str], triggers: list[str], token: str, dice: random.Random
    ) -> None:
        self.ledger = ledger
        self.client = Client()
        self.dice = dice
        self.token = token
        self._apis, self._triggers = apis, triggers

    async def execute(self, one: Submission, slug: str, params: dict[str, Any], **fields: Any) -> dict[str, Any] | None:
        """Call a function; what was answered, None where nobody ever did."""
        headers = self._headers() | ({"Idempotency-Key": one.key} if one.key else {})
        body = msgspec.json.encode({"params": {"number": one.number, **params}, **fields})
        return await self.insist(
            one, f"/api/functions/{slug}/execute/", body=body, headers=headers, fine=(200, 202, 500)
        )

    async def deliver(self, one: Submission, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any] | None:
        """Send a webhook, until it is taken."""
        return await self.insist(one, path, body=body, headers=headers, at=self._triggers)

    async def cancel(self, one: Submission, task_id: str) -> None:
        """Wish that it ends; it may have, by then."""
        path = f"/api/invocations/by-task-id/{task_id}/cancel/"
        answer = await self.insist(one, path, body=b"", headers=self._headers(), fine=(202, 409))
        if answer is not None and answer.get("task_status") == "CANCELLED":
            one.cancelled.append(task_id)

    async def insist(
        self,
        one: Submission,
        path: str,
        *,
        body: bytes,
        headers: dict[str, str],
        fine: tuple[int, ...] = (200, 201, 202),
        at: list[str] | None = None,
    ) -> dict[str, Any] | None:
        """Ask until there is an answer; each attempt without one is a doubt."""
        until, pause_s = time.monotonic() + GIVE_UP_S, _FIRST_PAUSE_S
        told: Counter[str] = Counter()
        while time.monotonic() < until:
            url = self.dice.choice(at or self._apis)
            answer = await self.client.ask("POST", url + path, body=body, headers=headers)
            if answer.status in fine:
                return self._told(one, answer)
            told[f"{answer.status} {answer.body[:80].decode(errors='replace')}".strip()] += 1
            if answer.status in _DOUBTFUL:
                one.doubts += 1
                self.ledger.refusals[f"{answer.status} {answer.body[:80].decode(errors='replace')}".strip()] += 1
            elif answer.status not in _LATER:
                self.ledger.odd_answer(one.kind, answer.status, answer.body)
                return None
            await asyncio.sleep(pause_s * self.dice.uniform(0.5, 1.0))
            pause_s = min(pause_s * 2, _MOST_PAUSE_S)
        self.ledger.unanswered(one, told)
        return None

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    def _told(self, one: Submission, answer: Response) -> dict[str, Any] | None:
        try:
            told: dict[str, Any] = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            self.ledger.odd_answer(one.kind, answer.status, answer.body)
            return None
        task_id = told.get("task_id")
        if isinstance(task_id, str) and task_id:
            if task_id not in one.given:
                one.given.append(task_id)
        elif answer.status >= 500:  # no end of a function: something went wrong on the way
            self.ledger.odd_answer(one.kind, answer.status, answer.body)
        return told
