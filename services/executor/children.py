"""Calls that a running call makes of its tenant's functions: each an invocation of its own, recorded with its parent.

A step of a parent has the same task id each time it is asked for. So a parent that is run again, because its executor
died, finds what its steps have done, and starts only what was not started.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from services.executor.mode import Unavailable
from services.executor.orphans import Orphans
from shared.bus.broker import Bus
from shared.bus.cancels import Cancels
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.idempotency import Key, KeyReusedError, of_function, print_of_params, print_of_request
from shared.domain.invocation import TriggerType
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.request import Actor, Header, Request
from shared.idempotency import Idempotency, Ready
from shared.sealed_request import sealed
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.invocations import Invocations
from shared.submit import Origin, step_task_id, submit
from shared.waiting import Wait, Waiting

MOST = 10_000
"""Children that one executor may wait for at once."""

_INSISTS_S = 15.0  # a cluster of the bus that loses a server has chosen another one by then
_AGAIN_S = 0.5


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The call that makes calls: what they have of it. `until` is the end of its time, by the monotonic clock.

    `function_id` is whose idempotency keys its children may be called with. One that is `fresh` has not been run
    before, so that nothing of it is to be looked for.
    """

    task_id: str
    tenant: str
    user: User | None
    trigger_type: TriggerType
    until: float
    fresh: bool = False
    function_id: int = 0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is called with: a request, or params where it is none, or its mode takes none.

    `secret` are the header lines of the request that travel sealed; `missing` says that there is no such function.
    With an `idempotency_key`, which is empty where there is none, the child may be one that another call has made.
    """

    missing: str
    params: bytes = b"{}"
    request: Request | None = None
    secret: list[Header] = []
    actor: Actor | None = None
    depth: int = 0
    idempotency_key: str = ""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """One call: its task, empty where there was no time left to begin it; how it ended, None while it has not."""

    task_id: str
    outcome: Outcome | None


Find = Callable[[], Awaitable[Function | None]]
"""The function to call, or None where there is none. Raises Problem(unavailable)."""


class Children:
    """Submits and waits. The answer comes by bus; the record is asked where it may have been lost."""

    def __init__(
        self, bus: Bus, store: Store, *, keyring: Keyring, waiting: Waiting, cancels: Cancels | None = None
    ) -> None:
        self._bus = bus
        self._store = store
        self._keyring = keyring
        self._waiting = waiting
        self._orphans = Orphans(bus, cancels) if cancels is not None else None
        self._idempotency = Idempotency(bus, store)

    async def call(self, parent: Parent, step: int | str, find: Find, asked: Asked) -> Child:
        """Call a function once for this step, and wait until it has ended or the parent's time is up.

        Raises Unavailable when bus or store are away: the parent is to be run again, and finds what was done.
        """
        task_id, left_s = step_task_id(parent.task_id, step), parent.until - time.monotonic()
        if left_s <= 0:
            return Child(task_id="", outcome=None)
        called_at = time.time()
        try:
            if asked.idempotency_key:
                return await self._keyed(parent, task_id, find, asked, within_s=left_s)
            return Child(task_id=task_id, outcome=await self._outcome(parent, task_id, find, asked, within_s=left_s))
        except KeyReusedError as error:
            return Child(task_id=task_id, outcome=failure("IdempotencyKeyReused", error.message))
        except Problem as problem:
            if problem.code == "unavailable":
                raise Unavailable(problem.message) from None
            return Child(task_id=task_id, outcome=failure("NotAccepted", problem.message))
        except asyncio.CancelledError:
            if self._orphans is not None:
                self._orphans.left(parent.tenant, parent.task_id, child=task_id, since=called_at)
            raise

    async def _outcome(
        self, parent: Parent, task_id: str, find: Find, asked: Asked, *, within_s: float
    ) -> Outcome | None:
        wait = self._waiting.enter(task_id, tenant=parent.tenant, within_s=within_s)
        try:
            return await self._started(parent, task_id, find, asked) or await wait.outcome()
        finally:
            wait.give_up()

    async def _started(self, parent: Parent, task_id: str, find: Find, asked: Asked) -> Outcome | None:
        """Submit it, unless it is on record; how it ended, if that is known already."""
        if not parent.fresh:
            record = Invocations(self._store, parent.tenant)
            if await record.known(task_id):
                return await record.outcome(task_id)
        function = await find()
        if function is None:
            return failure("FunctionNotFound", asked.missing)
        params, origin = self._command(parent, function, task_id, asked)
        await self._submitted(parent, function, task_id=task_id, params=params, origin=origin)
        return None

    async def _keyed(self, parent: Parent, task_id: str, find: Find, asked: Asked, *, within_s: float) -> Child:
        """The child of this key, whoever has made it; only calls of the parent's function have the same keys."""
        function = await find()
        if function is None:
            return Child(task_id=task_id, outcome=failure("FunctionNotFound", asked.missing))

        def prepare(task_id: str, _: bool) -> Ready[Wait]:
            params, origin = self._command(parent, function, task_id, asked)
            wait = self._waiting.enter(task_id, tenant=parent.tenant, within_s=within_s, again=True)
            return Ready(params, origin, wait)

        request = asked.request
        fingerprint = print_of_params(asked.params) if request is None else print_of_request(request, asked.secret)
        key = Key(asked.idempotency_key, of_function(parent.function_id), fingerprint)
        found = await self._idempotency.submit(function, key, task_id=task_id, prepare=prepare)
        outcome = found.outcome if found.wait is None else await found.wait.outcome()
        told = outcome.again() if outcome is not None and found.replayed else outcome
        return Child(task_id=found.accepted.task_id, outcome=told)

    def _command(self, parent: Parent, function: Function, task_id: str, asked: Asked) -> tuple[msgspec.Raw, Origin]:
        request = asked.request if function.execution_mode == "app" else None
        if request is not None:
            request = sealed(request, asked.secret, self._keyring, task_id)
        origin = Origin(
            trigger_type=parent.trigger_type,
            user=parent.user,
            reply_to=self._waiting.subject(task_id),
            parent_task_id=parent.task_id,
            request=request,
            actor=asked.actor if request is not None else None,
            depth=asked.depth,
        )
        return msgspec.Raw(asked.params if request is None else b"{}"), origin

    async def _submitted(
        self, parent: Parent, function: Function, *, task_id: str, params: msgspec.Raw, origin: Origin
    ) -> None:
        """Again and again while the bus is away and there is time: the same step twice is one call."""
        until = min(parent.until, time.monotonic() + _INSISTS_S)
        while True:
            try:
                await submit(self._bus, function, task_id=task_id, params=params, origin=origin)
            except Problem as problem:
                if problem.code != "unavailable" or time.monotonic() + _AGAIN_S >= until:
                    raise
            else:
                return
            await asyncio.sleep(_AGAIN_S)
