"""Dead letters sent on their way again: each becomes a new invocation of the function as it is now.

Its task id follows from the dead task's. So a letter that is redriven twice, at once or because somebody died between
the submission and the removal of the letter, is one invocation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.dead_letters import DeadLetters, Found
from shared.bus.graveyard import Command
from shared.bus.messages import Dispatch
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.problem import Problem, wrong
from shared.domain.request import Request, params_of
from shared.registry import Registry
from shared.sealed_request import resealed
from shared.secrets import Keyring, SealBrokenError
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import statuses
from shared.submit import Origin, redrive_task_id, submit

MOST_AT_ONCE = 100
"""Letters that one request for many looks at."""
_NO_PARAMS = msgspec.Raw(b"{}")
_WANTED_SO = ("SUCCESS", "CANCELLED")
_BODILESS = frozenset({"GET", "HEAD"})
# What says of a body what it is, or that nobody has changed it.
_OF_BODIES = frozenset(
    {"content-type", "content-length", "content-encoding", "content-md5", "content-digest", "digest"}
)


class Redriven(NamedTuple):
    """A letter that became an invocation of `function`, a slug; one that was `repeated` had become it before."""

    id: int
    task_id: str
    function: str
    repeated: bool


class Kept(NamedTuple):
    """A letter that stays, and why."""

    id: int
    reason: str


class Many(NamedTuple):
    """What became of many letters. With `remaining` there are more, behind `after` and not behind `until`."""

    redriven: list[Redriven]
    kept: list[Kept]
    remaining: int = 0
    after: int = 0
    until: int = 0


class Redriver:
    """Redrives letters of any tenants. Every method raises Problem(unavailable)."""

    def __init__(self, bus: Bus, store: Store, keyring: Keyring, registry: Registry) -> None:
        self._bus = bus
        self._store = store
        self._keyring = keyring
        self._registry = registry

    async def one(self, letters: DeadLetters, id: int, *, params: msgspec.Raw | None = None) -> Redriven:
        """Redrive one, with other `params` (JSON object text) where there are some: of a request, the body.

        Raises Problem(not_found), Problem(conflict) for one that cannot be redriven, which stays, Problem(invalid).
        """
        found = await letters.one(id)
        if found is None:
            raise no_letter(id)
        if params is not None and self._is_internal(found.command):
            raise wrong("params", f"The params of '{found.function}' are the platform's own, and cannot be replaced")
        return await self._redrive(letters, found, params)

    def _is_internal(self, command: Command | None) -> bool:
        if command is None or command.function_id != SYSTEM_ID:
            return False
        return self._registry.offered(command.tenant, command.function) is None

    async def chosen(self, letters: DeadLetters, ids: Sequence[int]) -> Many:
        """Redrive these, in this order."""
        many = Many([], [])
        for id in dict.fromkeys(ids):
            found = await letters.one(id)
            if found is None:
                many.kept.append(Kept(id, no_letter(id).message))
            else:
                await self._try(letters, found, many)
        return many

    async def all(
        self, letters: DeadLetters, function: str = "", *, after: int = 0, until: int = 0, limit: int = MOST_AT_ONCE
    ) -> Many:
        """Redrive the first ones behind the number `after`, the oldest first, `limit` of them at most.

        Without `until` those are meant that are there now: what dies again meanwhile does not count.
        """
        until = until or await letters.last()
        found = await letters.after(after, function, limit=limit, until=until)
        many = Many([], [], remaining=found.left, after=found.last, until=until)
        for one in found.found:
            await self._try(letters, one, many)
        return many

    async def _try(self, letters: DeadLetters, found: Found, many: Many) -> None:
        try:
            many.redriven.append(await self._redrive(letters, found, None))
        except Problem as problem:
            if problem.code == "unavailable":
                raise
            many.kept.append(Kept(found.id, problem.message))

    async def _redrive(self, letters: DeadLetters, found: Found, params: msgspec.Raw | None) -> Redriven:
        if reason := fault_of(found):
            raise _stays(found, reason)
        command = found.command
        assert command is not None
        task_id = redrive_task_id(command.task_id)
        known = await statuses(self._store, [command.task_id, task_id])
        if (end := known.get(command.task_id)) in _WANTED_SO:
            raise _stays(found, f"by its record it ended as {end} after all")
        repeated = task_id in known
        if not repeated:
            function = await self._function(found, command)
            repeated = await self._submit(function, command, task_id, params=params, found=found)
        await letters.remove(found.id)
        return Redriven(found.id, task_id, command.function, repeated)

    async def _submit(
        self, function: Function, command: Command, task_id: str, *, params: msgspec.Raw | None, found: Found
    ) -> bool:
        """Whether it had been submitted before."""
        try:
            request = command.request and resealed(command.request, self._keyring, command.task_id, anew=task_id)
        except SealBrokenError as error:
            raise _stays(found, f"the secret header lines of its request cannot be opened: {error}") from None
        given = command.params if params is None else params
        if request is not None and params is not None:
            request = edited(request, bytes(params))
            given = _NO_PARAMS if function.execution_mode == "app" else msgspec.Raw(params_of(request))
        origin = Origin(
            trigger_type=command.trigger_type,
            user=command.user,
            parent_task_id=command.parent_task_id,
            request=request,
            actor=command.actor,
            depth=command.depth,
            callback_url=command.callback_url,
            redrive_of=command.task_id,
        )
        accepted = await submit(self._bus, function, task_id=task_id, params=given, origin=origin)
        return accepted.repeated

    async def _function(self, found: Found, command: Command) -> Function:
        """The function as it is now. Raises Problem(conflict)."""
        slug = command.function
        if command.function_id == SYSTEM_ID:
            function = self._registry.function(command.tenant, slug)
        else:
            function = await Functions(self._store, command.tenant).by_slug(slug)
        if function is None or function.id != command.function_id or function.deleted_at is not None:
            raise _stays(found, f"the function '{slug}' was deleted")
        if not function.is_active:
            raise _stays(found, f"the function '{slug}' is not active")
        if function.execution_mode == "app" and function.active is None:
            raise _stays(found, f"the function '{slug}' has no active code version")
        return function


def fault_of(found: Found) -> str:
    """Why a letter can never be redriven; empty for one that may."""
    letter = found.letter
    if letter.stream not in (streams.INVOKE, streams.WORK):
        return f"it is no invocation: it comes from the stream {letter.stream}"
    if not letter.data:
        return "its bytes were too many to be kept"
    command = found.command
    if command is None:
        return "its bytes cannot be read"
    if not letter.task_id and not isinstance(command, Dispatch):
        return "it could not be recorded, which did not keep it from being run"
    return ""


def edited(request: Request, body: bytes) -> Request:
    """The request with another body, which is JSON. Raises Problem(invalid)."""
    if request.method in _BODILESS:
        message = f"A {request.method} request has no body, so that its params cannot be replaced"
        raise Problem("invalid", message, {"params": message})
    lines = [(name, value) for name, value in request.headers if name.lower() not in _OF_BODIES]
    lines += [("content-type", "application/json"), ("content-length", str(len(body)))]
    return msgspec.structs.replace(request, headers=lines, body=body)


def no_letter(id: int) -> Problem:
    """There is no such letter, or none of this tenant's."""
    return Problem("not_found", f"Dead letter with id {id} not found")


def _stays(found: Found, reason: str) -> Problem:
    return Problem("conflict", f"Dead letter {found.id} cannot be redriven: {reason}")
