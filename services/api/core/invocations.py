"""Invocations: asked for, waited for, looked up."""

import asyncio
import time
import uuid
from datetime import UTC, datetime

import msgspec

from services.api.core.counting import Counting, narrowed
from services.api.core.directory import Directory
from services.api.core.functions import no_function
from services.api.core.recent import Recent
from services.api.core.rights import must_execute, must_read, must_read_result
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.lookup import command_at, find_command
from shared.bus.messages import Invoke
from shared.domain.caller import Caller
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.idempotency import Key, of_user, print_of_params
from shared.domain.invocation import FINAL, Invocation
from shared.domain.limits import Bounds, limits_of
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.idempotency import Found, Idempotency, Ready, sent
from shared.store import functions, tenants
from shared.store import invocations as stored
from shared.store.client import MAX_ID, Store
from shared.store.ticks import Ticks
from shared.submit import Accepted, Origin, new_task_id
from shared.waiting import Wait, Waiting

Wanted = stored.Filter
"""Which invocations a list is to show; named here for the dialects, which may not speak to the store."""

_YOUNG_S = 2.0  # after this the record is taken to be complete
_NEWS_S = 0.3  # the longest a look is held up by a record that may be late: it may be that nothing is to come
_LOOKS = 3
_TASK_SHOWN = 100  # characters of a task id that is not ours, in the answer that says so
_CLOCK_S = 60.0  # how far ahead of ours the clock of another process may be


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a call asks for beside its params.

    `idempotency_key` is empty where none was sent. It is not to be started later than `expires_in_s` from now, 0 for
    no such time. How it ended is posted to `callback_url`, unless that is empty.
    """

    waits: bool
    idempotency_key: str = ""
    callback_url: str = ""
    expires_in_s: float = 0.0


class Ticket(msgspec.Struct, frozen=True):
    """An accepted invocation. `wait` is None when its caller does not wait, or its `outcome` is known.

    It is `replayed` where it was made by an earlier request with the same idempotency key.
    """

    function: Function
    accepted: Accepted
    wait: Wait | None
    replayed: bool = False
    outcome: Outcome | None = None


class Invocations:
    """What can be done with invocations. Every method raises Problem(unavailable) when the bus or the store is away."""

    def __init__(
        self,
        bus: Bus,
        store: Store,
        *,
        directory: Directory,
        waiting: Waiting,
        recent: Recent,
        bounds: Bounds,
        wait_s: float,
        kept_s: float,
    ) -> None:
        self._bus = bus
        self._store = store
        self._directory = directory
        self._waiting = waiting
        self._recent = recent
        self._idempotency = Idempotency(bus, store)
        self._bounds = bounds
        self._wait_s = wait_s
        self._kept_s = kept_s
        self._counting = Counting(store)

    async def invoke(self, caller: Caller, slug: str, params: msgspec.Raw, *, app: str | None, asked: Asked) -> Ticket:
        """Submit a call of a function. Raises Problem(not_found, invalid, too_large, conflict)."""
        must_execute(caller)
        function = await self._callable(caller.tenant, slug, app)
        most_bytes = limits_of(function.config, self._bounds, tenant={}).params_bytes
        if len(params) > most_bytes:  # the tenant's own bound is the router's to keep
            message = f"params are {len(params)} bytes; the limit is {most_bytes} bytes"
            raise Problem("too_large", message, {"params": message})

        def prepare(task_id: str, again: bool) -> Ready[Wait]:
            # The wait is open before the command is sent: an answer cannot come too early.
            wait = None
            if asked.waits:
                wait = self._waiting.enter(task_id, tenant=caller.tenant, within_s=self._wait_s, again=again)
            return Ready(params, self._origin(caller, asked, task_id), wait)

        task_id = new_task_id()
        if asked.idempotency_key:
            fingerprint = print_of_params(bytes(params), asked.callback_url, asked.expires_in_s)
            key = Key(asked.idempotency_key, of_user(caller.user), fingerprint)
            found = await self._idempotency.submit(function, key, task_id=task_id, prepare=prepare)
        else:
            ready = prepare(task_id, False)
            found = Found(await sent(self._bus, function, task_id, ready), ready.wait)
        if found.wait is None:
            self._recent.note(caller.tenant, found.accepted.task_id, answered=False)
        return Ticket(function, found.accepted, found.wait, found.replayed, found.outcome if asked.waits else None)

    def _origin(self, caller: Caller, asked: Asked, task_id: str) -> Origin:
        return Origin(
            trigger_type="api",
            user=caller.user,
            reply_to=self._waiting.subject(task_id) if asked.waits else "",
            expires_in_s=asked.expires_in_s,
            callback_url=asked.callback_url,
        )

    async def outcome(self, ticket: Ticket) -> Outcome | None:
        """How it ended; None when nobody waits, or the wait was over first: it goes on all the same."""
        outcome = ticket.outcome if ticket.wait is None else await ticket.wait.outcome()
        if ticket.wait is not None:
            self._recent.note(ticket.function.tenant, ticket.accepted.task_id, answered=outcome is not None)
        return outcome

    async def by_task(self, caller: Caller, task_id: str, *, app: str | None = None) -> Invocation:
        """The invocation with this task id, from the moment it was accepted. Raises Problem(not_found)."""
        must_read_result(caller)
        return await self.of_task(caller, task_id, app=app)

    async def by_id(self, caller: Caller, id: int, *, app: str | None = None) -> Invocation:
        """The invocation with this number, from the moment it was accepted. Raises Problem(not_found)."""
        must_read(caller)
        return await self.of_number(caller, id, app=app)

    async def of_task(self, caller: Caller, task_id: str, *, app: str | None) -> Invocation:
        """`by_task`, for one whose right to it depends on what it is."""
        await self._recent.settle_task(task_id)
        made_at = _made_at(task_id)
        found = await self._latest(caller, task_id, made_at=made_at)
        if found is None and made_at is not None and -self._kept_s < made_at - time.time() < _CLOCK_S:
            # A run of a schedule has an id from the moment it was due; the ledger knows when it was submitted.
            around = await Ticks(self._store, caller.tenant).submitted_at(task_id) or made_at
            command = await find_command(self._bus, tenant=caller.tenant, task_id=task_id, around=around)
            found = await self._accepted(command)
        if found is None or not await self._ran_in(found, app):
            raise Problem("not_found", f"Task '{task_id[:_TASK_SHOWN]}' not found")
        return found

    async def of_number(self, caller: Caller, id: int, *, app: str | None) -> Invocation:
        """`by_id`, likewise."""
        found = await self._of(caller).by_id(id) if 0 < id <= MAX_ID else None
        if found is None and 0 < id <= MAX_ID:
            found = await self._accepted(await command_at(self._bus, tenant=caller.tenant, sequence=id))
        if found is not None and found.status not in FINAL:
            await self._recent.settle_task(found.task_id)
            found = await self._latest(caller, found.task_id, made_at=_made_at(found.task_id)) or found
        if found is None or not await self._ran_in(found, app):
            raise Problem("not_found", f"Invocation with id {id} not found")
        return found

    def is_system(self, slug: str) -> bool:
        """Whether the function of this slug is a system function, which every tenant has."""
        return self._directory.is_system(slug)

    async def listed(self, caller: Caller, wanted: Wanted, *, limit: int, skip: int) -> tuple[int, list[Invocation]]:
        """How many match, and a part of them, the newest first."""
        must_read(caller)
        await self._recent.settle(caller.tenant)
        resolved = await self._resolved(caller.tenant, wanted)
        if resolved is None:
            return 0, []
        return await self._counting.listed(caller.tenant, resolved, limit=limit, skip=skip)

    async def _resolved(self, tenant: str, wanted: Wanted) -> Wanted | None:
        """The filter with its function as the record has it; None where nothing can match."""
        slug, id, app = wanted.function_slug, wanted.function_id, wanted.app_slug
        if self._directory.is_system(slug or ""):
            return msgspec.structs.replace(wanted, function_id=SYSTEM_ID) if app is None else None
        if slug is None and (id is None or app is None):
            return wanted
        owned = functions.Functions(self._store, tenant)
        function = await owned.by_slug(slug) if slug is not None else await owned.by_id(id or 0)
        if function is None or app not in (None, function.app_slug):
            return None
        return narrowed(wanted, function_id=function.id)

    async def _ran_in(self, invocation: Invocation, app: str | None) -> bool:
        """Whether its function is one of this app; those of system functions are of none.

        A function never changes its app, and its invocations go with it: so it is the function that is asked.
        """
        if app is None:
            return True
        function = await self._directory.find(invocation.tenant, invocation.function_slug)
        return function is not None and (function.id, function.app_slug) == (invocation.function_id, app)

    def _of(self, caller: Caller) -> stored.Invocations:
        return stored.Invocations(self._store, caller.tenant)

    async def _latest(self, caller: Caller, task_id: str, *, made_at: float | None) -> Invocation | None:
        """What is on record; of a task made a moment ago, by whomever, what the recorder is about to write."""
        until = time.time() + _NEWS_S
        for _ in range(_LOOKS):
            news = self._recent.news()
            found = await self._of(caller).by_task(task_id)
            young = made_at is not None and abs(time.time() - made_at) < _YOUNG_S
            if not young or (found is not None and found.status in FINAL):
                break
            await asyncio.wait({news}, timeout=max(0.0, until - time.time()))
            if not news.done():
                break
        return found

    async def _callable(self, tenant: str, slug: str, app: str | None) -> Function:
        function = await self._directory.find(tenant, slug)
        if function is None or not function.is_active or not _is_in(function, app):
            raise no_function(slug)
        if function.execution_mode == "app" and function.active is None:
            raise Problem("invalid", f"Function '{slug}' has no active code version; upload code first")
        return function

    async def _accepted(self, command: Delivery[Invoke] | None) -> Invocation | None:
        """A command that is on the bus, but not on record: not yet, or not any more, with its function deleted."""
        if command is None:
            return None
        body = command.body
        function = await self._directory.find(body.tenant, body.function)
        if function is None or function.id != body.function_id:
            return None
        if function.id == SYSTEM_ID:  # which a tenant of the same name had, too
            tenant = await tenants.find(self._store, body.tenant)
            if tenant is None or (tenant.created_at and body.accepted_at < tenant.created_at.timestamp()):
                return None
        return _pending(command)


def _is_in(function: Function, app: str | None) -> bool:
    """Whether it is to be found in this app, or without one; system functions are in all."""
    return app in (None, function.app_slug) or function.id == SYSTEM_ID


def _made_at(task_id: str) -> float | None:
    """When a task id was made, Unix seconds; None for one that does not say, or is none of ours."""
    try:
        made = uuid.UUID(task_id)
    except ValueError:
        return None
    return (made.int >> 80) / 1000 if made.version == 7 and str(made) == task_id else None  # noqa: PLR2004 - UUIDv7


def _pending(command: Delivery[Invoke]) -> Invocation:
    body = command.body
    return Invocation(
        id=command.sequence,
        task_id=body.task_id,
        tenant=body.tenant,
        function_id=body.function_id,
        function_name=body.function_name,
        function_slug=body.function,
        trigger_type=body.trigger_type,
        user_id=body.user.id if body.user else None,
        user_username=body.user.username if body.user else None,
        parent_task_id=body.parent_task_id,
        params=bytes(body.params).decode(),
        created_at=datetime.fromtimestamp(body.accepted_at, UTC),
    )
