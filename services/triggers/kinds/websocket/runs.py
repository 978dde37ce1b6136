"""The functions that a message is for: each is run, and what it answers goes back in the order of their ids."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from services.triggers.kind import World
from services.triggers.kinds.websocket import replies
from services.triggers.kinds.websocket.admission import Who
from services.triggers.kinds.websocket.frames import NO_EVENT, Event, body_of
from services.triggers.shares import Shares
from shared import telemetry, tracing
from shared.domain.app import App
from shared.domain.function import Function
from shared.domain.idempotency import Key, of_asker, print_of_request
from shared.domain.limits import limits_of
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Header, Request, params_of
from shared.idempotency import Found, Idempotency, Ready, sent
from shared.submit import Origin, new_task_id
from shared.waiting import Wait

_SHARES = 2  # of all who may wait here, a tenant's events are at most half
_PATH = "/realtime"
_NO_PARAMS = msgspec.Raw(b"{}")


class Peer(NamedTuple):
    """Where a socket comes from, as its handlers are told."""

    connection_id: str
    scheme: str
    host: str
    ip: str


class _Held:
    """A wait, and its tenant's place for as long as it lasts."""

    def __init__(self, wait: Wait, shares: Shares) -> None:
        self._wait = wait
        self._shares: Shares | None = shares
        shares.take(wait.tenant)

    async def outcome(self) -> Outcome | None:
        """As the wait's."""
        try:
            return await self._wait.outcome()
        finally:
            self.give_up()

    def give_up(self) -> None:
        """End the wait. Harmless when it has ended."""
        self._wait.give_up()
        shares, self._shares = self._shares, None
        if shares is not None:
            shares.give_back(self._wait.tenant)


class Run:
    """One function's run for an event: waited for, or why there is none. `name` is there where several answer."""

    def __init__(
        self, event: Event, name: str | None, *, found: Found[_Held] | None = None, fault: str = "NoAnswer"
    ) -> None:
        self._event = event
        self._name = name
        self._found = found
        self._fault = fault

    async def reply(self) -> str:
        """What the client is told of it, when it is over."""
        outcome, replayed = await self._outcome(), self._found is not None and self._found.replayed
        fault = self._fault if outcome is None else replies.fault_of(outcome)
        telemetry.FRAMES.labels("failed" if fault else "answered").inc()
        if outcome is None or fault:
            return replies.failed(self._event, fault, self._name)
        return replies.answered(self._event, outcome, self._name, replayed=replayed)

    async def _outcome(self) -> Outcome | None:
        if self._found is None:
            return None
        held = self._found.wait
        outcome = self._found.outcome if held is None else await held.outcome()
        return outcome.again() if outcome is not None and self._found.replayed else outcome

    def give_up(self) -> None:
        """Nobody is there for the answer."""
        if self._found is not None and self._found.wait is not None:
            self._found.wait.give_up()


class Runs:
    """Submits the runs that messages set off. One that comes twice runs twice, unless it has an idempotency key."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._idempotency = Idempotency(world.service.bus, world.service.store)
        self._shares = Shares(max(1, world.settings.max_waiting // _SHARES))

    async def begin(self, who: Who, event: Event, peer: Peer) -> Sequence[Run] | str:
        """The runs, submitted in the order of their functions; or what the client is told where there are none."""
        try:
            targets, tenant = self._world.targets, who.app.tenant
            meant = matching(await targets.of(tenant, "websocket"), who.app, event.event)
            found = targets.bounded(meant, tenant=tenant, kind="websocket")
            if not found:
                telemetry.FRAMES.labels("unhandled").inc()
                return replies.no_handler(event) if event.event is not None else replies.error(NO_EVENT, id=event.id)
            with tracing.span("websocket message", kind="consumer"):
                return [await self._run(function, who, event, peer, alone=len(found) == 1) for function in found]
        except Problem as problem:
            telemetry.FRAMES.labels("failed").inc()
            return replies.failed(event, problem.message, None)

    async def _run(self, function: Function, who: Who, event: Event, peer: Peer, *, alone: bool) -> Run:
        name = None if alone else function.name
        try:
            return Run(event, name, found=await self._submitted(function, who, event, peer))
        except Problem as problem:
            return Run(event, name, fault=problem.message)

    async def _submitted(self, function: Function, who: Who, event: Event, peer: Peer) -> Found[_Held]:
        """Raises Problem(unavailable, too_large, conflict)."""
        world = self._world
        body = body_of(event)
        ceilings = await world.edge.ceilings(function.tenant)
        limits = limits_of(function.config, world.service.platform.bounds, tenant=ceilings)
        if len(body) > limits.params_bytes:
            raise Problem("too_large", f"The event is longer than {limits.params_bytes} bytes")
        if self._shares.is_out(function.tenant):
            raise Problem("unavailable", f"{self._shares.most} events are under way already")
        within_s = limits.timeout_s + world.settings.queue_s
        user = who.asker.caller.user if who.asker.caller else None
        request = _request(who.app, peer, body)
        params = _NO_PARAMS if function.execution_mode == "app" else msgspec.Raw(params_of(request))

        def prepare(task_id: str, again: bool) -> Ready[_Held]:
            wait = world.waiting.enter(task_id, tenant=function.tenant, within_s=within_s, again=again)
            origin = Origin(
                trigger_type="websocket",
                user=user,
                reply_to=world.waiting.subject(task_id),
                request=request,
                actor=who.asker.actor,
            )
            return Ready(params, origin, _Held(wait, self._shares))

        task_id = new_task_id()
        if not event.key:
            ready = prepare(task_id, False)
            return Found(await sent(world.service.bus, function, task_id, ready), ready.wait)
        key = Key(event.key, of_asker(user, who.asker.actor), print_of_request(request))
        return await self._idempotency.submit(function, key, task_id=task_id, prepare=prepare)


def matching(functions: Sequence[Function], app: App, event: str | None) -> list[Function]:
    """Those of this app that take the event: by its name, or whatever comes. A frame without one is for the latter."""
    found = []
    for function in functions:
        trigger = function.trigger("websocket")
        if function.app != app.id or trigger is None or (function.execution_mode == "app" and function.active is None):
            continue
        if trigger.config.get("event") in (None, event):
            found.append(function)
    return found


def _request(app: App, peer: Peer, body: bytes) -> Request:
    scheme = "https" if peer.scheme == "wss" else "http"
    lines: list[Header] = [
        ("content-type", "application/json"),
        ("x-connection-id", peer.connection_id),
        ("x-forwarded-for", peer.ip),
        ("x-forwarded-host", peer.host),
        ("x-forwarded-proto", scheme),
    ]
    url = f"{scheme}://{peer.host}/v1/{quote(app.public_id)}{_PATH}"
    return Request(method="POST", url=url, path=_PATH, headers=lines, body=body, ip=peer.ip)
