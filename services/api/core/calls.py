"""Calls of functions over HTTP: submitted with what was asked, and waited for."""

import asyncio
from collections.abc import Mapping

import msgspec

from services.api.core.recent import Recent
from shared.bus.broker import Bus
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.idempotency import ANYBODY, Key, of_asker, print_of_request
from shared.domain.invocation import TriggerType
from shared.domain.limits import Amount, Bounds, Limits, limits_of
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Actor, Header, Request, params_of
from shared.idempotency import Found, Idempotency, Ready, sent
from shared.sealed_request import sealed
from shared.secrets import Keyring
from shared.submit import Origin, new_task_id
from shared.waiting import Wait, Waiting

_NO_PARAMS = msgspec.Raw(b"{}")


class Crowded(Exception):  # noqa: N818 - what it is called everywhere else
    """Too many callers wait here already."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a function, with the header lines that are `secret` beside it, and who makes it.

    `user` is the one whom a token of the platform speaks for. `idempotency_key` is empty where none was sent.
    """

    request: Request
    secret: list[Header]
    actor: Actor
    user: User | None
    trigger_type: TriggerType
    idempotency_key: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was accepted, and may take `timeout_s`. It is waited for until `until`, by the loop's clock.

    It is `replayed` where it was made by an earlier request with the same idempotency key. Nobody waits where its
    `ended` is known.
    """

    function: Function
    task_id: str
    wait: Wait | None
    replayed: bool = False
    ended: Outcome | None = None
    timeout_s: float
    began: float
    until: float


class Calls:
    """Submits calls. A caller waits for as long as the function may run, and `queue_s` more."""

    def __init__(
        self,
        bus: Bus,
        keyring: Keyring,
        *,
        waiting: Waiting,
        recent: Recent,
        idempotency: Idempotency,
        bounds: Bounds,
        queue_s: float,
    ) -> None:
        self._bus = bus
        self._keyring = keyring
        self._waiting = waiting
        self._recent = recent
        self._idempotency = idempotency
        self._bounds = bounds
        self._queue_s = queue_s

    def limits(self, function: Function, *, tenant: Mapping[str, Amount]) -> Limits:
        """The limits of the function's calls; `tenant` are the ceilings of whose it is."""
        return limits_of(function.config, self._bounds, tenant=tenant)

    async def call(self, function: Function, asked: Asked, *, timeout_s: float) -> Call:
        """Submit a call of a function that may run for so long.

        Raises Crowded, Problem(unavailable, too_large, conflict).
        """
        within_s = timeout_s + self._queue_s
        began = asyncio.get_running_loop().time()
        task_id = new_task_id()

        def prepare(task_id: str, again: bool) -> Ready[Wait]:
            return self._ready(function, asked, task_id, within_s=within_s, again=again)

        if asked.idempotency_key:
            caller = of_asker(asked.user, asked.actor)
            fingerprint = print_of_request(asked.request, asked.secret if caller == ANYBODY else ())
            key = Key(asked.idempotency_key, caller, fingerprint)
            found = await self._idempotency.submit(function, key, task_id=task_id, prepare=prepare)
        else:
            ready = prepare(task_id, False)
            found = Found(await sent(self._bus, function, task_id, ready), ready.wait)
        if found.replayed and found.wait is not None:
            found.wait.take_whole()
        return Call(
            function=function,
            task_id=found.accepted.task_id,
            wait=found.wait,
            replayed=found.replayed,
            ended=found.outcome,
            timeout_s=timeout_s,
            began=began,
            until=began + within_s,
        )

    def _ready(self, function: Function, asked: Asked, task_id: str, *, within_s: float, again: bool) -> Ready[Wait]:
        request = sealed(asked.request, asked.secret, self._keyring, task_id)
        # The wait is open before the command is sent: an answer cannot come too early.
        try:
            wait = self._waiting.enter(task_id, tenant=function.tenant, within_s=within_s, streams=True, again=again)
        except Problem as problem:
            raise Crowded(problem.message) from None
        origin = Origin(
            trigger_type=asked.trigger_type,
            user=asked.user,
            reply_to=self._waiting.subject(task_id),
            request=request,
            actor=asked.actor,
        )
        # A handler is asked the request itself; what is none is given params.
        params = _NO_PARAMS if function.execution_mode == "app" else msgspec.Raw(params_of(asked.request))
        return Ready(params, origin, wait)

    async def outcome(self, call: Call) -> Outcome | None:
        """How it ended; None when the wait was over first: it goes on all the same.

        One that is replayed is told with what is kept of it.
        """
        outcome = call.ended if call.wait is None else await call.wait.outcome()
        self._recent.note(call.function.tenant, call.task_id, answered=outcome is not None)
        return outcome.again() if outcome is not None and call.replayed else outcome


def is_callable(function: Function | None) -> bool:
    """Whether there is something to call."""
    if function is None or not function.is_active or function.deleted_at is not None:
        return False
    return function.execution_mode != "app" or function.active is not None


def no_code(name: str) -> Problem:
    """A function that was made, but was given no code."""
    return Problem("invalid", f"Function '{name}' has no active code version; deploy it first")
