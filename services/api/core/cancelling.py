"""Cancelling: an invocation that is queued, held back or running is ended, and what it has called."""

import asyncio
from collections.abc import Iterable

from services.api.core.invocations import Invocations
from services.api.core.recent import Recent
from services.api.core.rights import must_cancel, must_cancel_some
from shared import telemetry
from shared.bus.broker import Bus
from shared.bus.held_back import withdraw
from shared.bus.lookup import command_at
from shared.cancelling import Concluded, cancel, end_of, end_of_record, ended
from shared.domain.caller import Caller
from shared.domain.invocation import FINAL, Invocation
from shared.domain.outcome import cancelled
from shared.domain.problem import Problem
from shared.store import invocations as stored
from shared.store.client import Store

MOST_CHILDREN = 1000
"""What one request cancels with an invocation; a repetition goes on where it stopped."""
_AT_ONCE = 16


class Cancelling:
    """Cancels what a caller names. Every method raises Problem(unavailable) when bus or store are away.

    What is half done then is done by a repetition: each step may be made twice.
    """

    def __init__(self, bus: Bus, store: Store, invocations: Invocations, recent: Recent) -> None:
        self._bus = bus
        self._store = store
        self._invocations = invocations
        self._recent = recent

    async def by_id(self, caller: Caller, id: int, *, app: str | None = None) -> Invocation:
        """Cancel the invocation with this number; its record. Raises Problem(not_found, forbidden, conflict)."""
        must_cancel_some(caller)
        return await self._cancel(caller, await self._invocations.of_number(caller, id, app=app))

    async def by_task(self, caller: Caller, task_id: str, *, app: str | None = None) -> Invocation:
        """Cancel the invocation with this task id, likewise."""
        must_cancel_some(caller)
        return await self._cancel(caller, await self._invocations.of_task(caller, task_id, app=app))

    async def _cancel(self, caller: Caller, found: Invocation) -> Invocation:
        must_cancel(caller, found.user_id)
        by = caller.user.username
        if found.status == "CANCELLED":  # again: what an interruption has left is done now
            await withdraw(self._bus, found.tenant, found.task_id)
            await self._cancel_children([found.task_id], found.tenant, by=by)
            return found
        if found.status in FINAL:
            raise _has_ended(found.id, found.status)
        concluded = await self._end(found, by=by)
        self._recent.note(found.tenant, found.task_id, answered=True)
        if concluded.outcome is None:
            raise _has_ended(found.id, "")
        if not concluded.is_cancelled:
            raise _has_ended(found.id, concluded.outcome.status)
        await self._cancel_children([found.task_id], found.tenant, by=by)
        return ended(found, concluded.outcome)

    async def _end(self, found: Invocation, *, by: str) -> Concluded:
        command = await command_at(self._bus, tenant=found.tenant, sequence=found.id)
        outcome = cancelled(by)
        if command is not None and command.body.task_id == found.task_id:
            end, reply_to = end_of(command, outcome, record=found), command.body.reply_to
        else:
            end, reply_to = end_of_record(found, outcome), ""
        concluded = await cancel(self._bus, end, by=by, reply_to=reply_to)
        if concluded.is_cancelled:
            telemetry.CANCELLED.labels(_stage(found, concluded)).inc()
        return concluded

    async def _cancel_children(self, parents: list[str], tenant: str, *, by: str) -> None:
        """Level by level, as far as they are on record; what is not yet is ended by the executor of its parent."""
        record, left, after = stored.Invocations(self._store, tenant), MOST_CHILDREN, 0
        deeper: list[str] = []
        while parents and left > 0:
            children = await record.unended_children(parents, after=after, limit=min(left, _AT_ONCE))
            await self._end_all(children, by=by)
            left -= len(children)
            deeper += [child.task_id for child in children]
            if children:
                after = children[-1].id
            else:
                parents, deeper, after = deeper, [], 0

    async def _end_all(self, children: Iterable[Invocation], *, by: str) -> None:
        """Side by side. What ends meanwhile in another way is left as it is."""
        await asyncio.gather(*(self._end(child, by=by) for child in children))


def _stage(found: Invocation, concluded: Concluded) -> str:
    if concluded.withdrawn:
        return "delayed"
    return "running" if found.status == "STARTED" else "queued"


def _has_ended(id: int, status: str) -> Problem:
    how = f" with {status}" if status else ""
    return Problem("conflict", f"Invocation {id} has ended already{how}")
