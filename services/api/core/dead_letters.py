"""Dead letters as their tenant sees them: listed, looked into, redriven, removed."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from services.api.core.recent import Recent
from services.api.core.rights import may_develop, must_develop, must_execute, must_read
from shared import redrive, telemetry
from shared.bus import dead_letters as kept
from shared.bus.broker import Bus
from shared.bus.dead_letters import Found
from shared.bus.messages import Dispatch
from shared.domain.caller import Caller, User
from shared.domain.invocation import End, TriggerType
from shared.domain.problem import Problem, wrong
from shared.domain.request import Request
from shared.domain.retry import ErrorClass
from shared.redrive import MOST_AT_ONCE, Many, Redriven, Redriver
from shared.registry import Registry
from shared.secrets import Keyring
from shared.store import tenants
from shared.store.client import Store

_log = telemetry.logger("dead letters")

__all__ = ["MOST_AT_ONCE", "DeadLetters", "Letter", "Many", "Redriven"]


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter. `obstacle` says why it can never be redriven; it is empty for one that may.

    `task_id`, `trigger_type` and `status` are there where it is an invocation's, `params` and `request` where its bytes
    are, too: JSON object text, and for a handler's what was asked of it, with what is secret of that sealed.
    """

    id: int
    function_slug: str
    function_name: str = ""
    task_id: str = ""
    trigger_type: TriggerType | None = None
    status: End | None = None
    reason: str
    error_class: ErrorClass | None = None
    attempts: int = 0
    accepted_at: datetime | None = None
    died_at: datetime
    obstacle: str = ""
    user: User | None = None
    parent_task_id: str = ""
    redrive_of: str = ""
    params: msgspec.Raw | None = None
    request: Request | None = None


class DeadLetters:
    """What can be done with them. Every method raises Problem(forbidden, unavailable)."""

    def __init__(self, bus: Bus, store: Store, keyring: Keyring, *, recent: Recent, registry: Registry) -> None:
        self._bus = bus
        self._store = store
        self._recent = recent
        self._redriver = Redriver(bus, store, keyring, registry)

    async def listed(self, caller: Caller, function: str, *, limit: int, skip: int) -> tuple[int, list[Letter]]:
        """How many there are, of one function or of all, and a part of them, the newest first."""
        must_read(caller)
        count, found = await (await self._of(caller)).listed(function, limit=limit, skip=skip)
        return count, [_letter(one) for one in found]

    async def shown(self, caller: Caller, id: int) -> Letter:
        """One of them. Raises Problem(not_found)."""
        must_read(caller)
        found = await (await self._of(caller)).one(id)
        if found is None:
            raise redrive.no_letter(id)
        return _letter(found)

    async def redrive(self, caller: Caller, id: int, *, params: msgspec.Raw | None) -> Redriven:
        """Make an invocation of it, with other params where there are some.

        Raises Problem(not_found, invalid), Problem(conflict) for one that cannot be redriven.
        """
        must_execute(caller)
        letters = await self._of(caller)
        if params is not None:
            _must_edit(caller, await letters.one(id))
        made = await self._redriver.one(letters, id, params=params)
        await self._made(caller, [made])
        return made

    async def redrive_chosen(self, caller: Caller, ids: Sequence[int]) -> Many:
        """Make invocations of these, of up to `MOST_AT_ONCE`. Raises Problem(invalid)."""
        must_execute(caller)
        if len(ids) > MOST_AT_ONCE:
            raise wrong("ids", f"ids must not have more than {MOST_AT_ONCE} entries")
        many = await self._redriver.chosen(await self._of(caller), ids)
        await self._made(caller, many.redriven)
        return many

    async def redrive_all(self, caller: Caller, function: str, *, after: int, until: int) -> Many:
        """Make invocations of the first `MOST_AT_ONCE` behind the number `after`, the oldest first.

        `until` is the number of the last one that is meant, 0 for those that are there now.
        """
        must_execute(caller)
        many = await self._redriver.all(await self._of(caller), function, after=after, until=until)
        await self._made(caller, many.redriven)
        return many

    async def remove(self, caller: Caller, id: int) -> None:
        """Remove it for good. Raises Problem(not_found)."""
        must_develop(caller)
        if not await (await self._of(caller)).remove(id):
            raise redrive.no_letter(id)

    async def _of(self, caller: Caller) -> kept.DeadLetters:
        """What a former tenant of this name left is nobody's to see."""
        tenant = await tenants.find(self._store, caller.tenant)
        since = tenant.created_at.timestamp() if tenant is not None and tenant.created_at else 0.0
        return kept.DeadLetters(self._bus, caller.tenant, since=since)

    async def _made(self, caller: Caller, made: Sequence[Redriven]) -> None:
        """Whoever asks next for what was made shall find it: its id says the time of the one that died, not now."""
        for one in made:
            facts = {"tenant": caller.tenant, "task_id": one.task_id, "function": one.function}
            _log.info("redriven", **facts, letter=one.id, by=caller.user.username)
        if made:
            self._recent.note(caller.tenant, made[-1].task_id, answered=False)
            await self._recent.settle(caller.tenant)


def _must_edit(caller: Caller, found: Found | None) -> None:
    """It runs for whom the dead one ran for: who puts other words into that one's mouth must be trusted with code."""
    if found is None or may_develop(caller):
        return
    command = found.command
    if command is None or command.user is None or command.user.id != caller.user.id:
        raise Problem("forbidden", "Your role may redrive what others have called as it was, but not with other params")


def _letter(found: Found) -> Letter:
    letter, command = found.letter, found.command
    name, task_id = letter.function_name, letter.task_id
    trigger_type, accepted_at = letter.trigger_type, letter.accepted_at
    if command is not None and not task_id:  # kept by a Shoal that did not write it down
        name, task_id, trigger_type = command.function_name, command.task_id, command.trigger_type
        accepted_at = command.timeline.accepted if isinstance(command, Dispatch) else command.accepted_at
    return Letter(
        id=found.id,
        function_slug=found.function if command is None else command.function,
        function_name=name,
        task_id=task_id,
        trigger_type=trigger_type,
        status=letter.status if letter.task_id else None,
        reason=letter.reason,
        error_class=letter.error_class,
        attempts=letter.attempts,
        accepted_at=datetime.fromtimestamp(accepted_at, UTC) if accepted_at else None,
        died_at=datetime.fromtimestamp(letter.at, UTC),
        obstacle=redrive.fault_of(found),
        user=command.user if command is not None else None,
        parent_task_id=command.parent_task_id if command is not None else "",
        redrive_of=command.redrive_of if command is not None else "",
        params=command.params if command is not None else None,
        request=command.request if command is not None else None,
    )
