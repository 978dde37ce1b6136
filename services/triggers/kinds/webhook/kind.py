"""Webhooks: what others post, signed. Verified on its raw bytes, then run once, however often it is sent."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from services.triggers.ingress import answer
from services.triggers.kind import Route, World
from services.triggers.kinds.webhook import verdicts
from services.triggers.kinds.webhook.door import Door
from services.triggers.kinds.webhook.journal import Journal
from services.triggers.kinds.webhook.places import Place, Places
from services.triggers.kinds.webhook.verdicts import Verdict
from shared import answers, telemetry
from shared import request_head as heads
from shared.domain.problem import Problem
from shared.exchange import Receive, Scope, Send
from shared.store.attempts import Attempt

PATTERN = "/v1/{app}/webhook/{name}"


class Webhook:
    """The kind. Implements services.triggers.kind.Kind."""

    def __init__(self, world: World) -> None:
        self._places = Places(world)
        self._door = Door(world, self._places)
        self._journal = Journal(world.service.store, world.settings)
        self.routes: tuple[Route, ...] = (Route(PATTERN, self._serve),)
        world.service.facts["attempts_waiting"] = lambda: len(self._journal)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Write down what came."""
        try:
            async with self._journal.kept():
                yield
        finally:
            await self._door.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, named: Mapping[str, str]) -> None:
        if scope["method"] != "POST":
            refusal = answers.plain(405, error="Method not allowed")
            await answer(send, refusal._replace(lines=[*refusal.lines, (b"allow", b"POST")]))
            return
        at = datetime.now(UTC)
        try:
            host = heads.sent(scope["headers"]).host
            place = await self._places.find(named["app"], named["name"], host=host)
        except Problem as problem:
            telemetry.WEBHOOKS.labels("none", "nowhere").inc()
            await answer(send, verdicts.answer_to(problem))
            return
        if place is None:
            telemetry.WEBHOOKS.labels("none", "nowhere").inc()
            await answer(send, answers.missing())
            return
        verdict = await self._door.verdict(place, scope, receive, host=host)
        self._note(place, verdict, scope, at=at)
        await answer(send, verdict.answer)

    def _note(self, place: Place, verdict: Verdict, scope: Scope, *, at: datetime) -> None:
        client = scope.get("client")
        attempt = Attempt(
            function_id=place.function.id,
            at=at,
            source=verdict.source or "none",
            verdict=verdict.word,
            reason=verdict.reason,
            delivery_id=verdict.delivery_id,
            task_id=verdict.task_id,
            ip=client[0] if client else "",
            status=verdict.answer.status,
        )
        self._journal.note(place.function, attempt)


def open(world: World) -> Webhook:  # noqa: A001 - as every kind's is called
    """The kind, to be asked for its routes and for its work."""
    return Webhook(world)
