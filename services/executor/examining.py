"""Plugins' stored code looked into, for who makes, changes or shows them: beside the calls, and never one of them."""

import asyncio
from typing import Any, TypeVar

import msgspec

from services.executor.artefacts import Artefacts
from services.executor.config import Executor
from services.executor.mode import Artefact, Call, Examination, Mode, Refusal, Unavailable
from services.executor.slots import Asker, Slots
from services.executor.valves import Valves
from shared import telemetry, valves
from shared.bus.notices import Examine, Examined
from shared.config import Platform
from shared.domain.limits import Limits
from shared.domain.outcome import Outcome
from shared.domain.plugin import PluginKind, examine_place
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError

AT_ONCE = 256
"""Questions that are heard at once; those over the slots wait in their tenant's line."""

_SHARE = 0.5  # one tenant leaves as many slots as it has
_LINE = 32  # of one tenant's questions
_MOST_BYTES = 1 << 20  # of what is found, as JSON
_MOST_TOLD = 4096  # characters of what is wrong
_BY_THE_CODE = "SandboxError"

_log = telemetry.logger("examining")


class _Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: PluginKind
    toggle: bool
    has_valves: bool
    has_user_valves: bool
    secret: bool
    fault: str


class _Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    values: msgspec.Raw = msgspec.Raw()
    misfit: str = ""
    missing: bool = False


_Found = TypeVar("_Found")
_Object = dict[str, Any]


class _UntrueError(Exception):
    """What was found is nothing that can be found: the worker is not an honest one any more."""


class Examining:
    """Answers what is asked of one mode's plugins."""

    def __init__(
        self,
        mode: Mode,
        artefacts: Artefacts,
        *,
        people: Valves,
        keyring: Keyring,
        settings: Executor,
        platform: Platform,
    ) -> None:
        self._mode = mode
        self._artefacts = artefacts
        self._people = people
        self._keyring = keyring
        self._wait_s = settings.examine_wait_s
        self._slots = Slots(settings.examine_slots, share=_SHARE, line=_LINE)
        self._limits = _limits(settings, platform)

    async def examine(self, asked: Examine) -> Examined:
        """What is found; a fault of the code or of the values is an answer, too."""
        try:
            async with asyncio.timeout(self._wait_s):
                return await self._answered(asked)
        except (Problem, Unavailable) as error:
            return Examined(unavailable=str(error)[:_MOST_TOLD])
        except TimeoutError:
            return Examined(unavailable=f"there was no room for it within {self._wait_s:g} s")
        except _UntrueError:
            _log.warning("impossible examination", tenant=asked.tenant, function_id=asked.function_id)
            return Examined(error="WorkerDied: the worker was ended: what it found cannot be")

    async def _answered(self, asked: Examine) -> Examined:
        made = await self._artefacts.load(asked.tenant, asked.code_hash)
        if isinstance(made, Refusal):
            return Examined(error="\n".join(str(error) for error in made.errors)[:_MOST_TOLD])
        try:
            values = self._opened(asked)
        except SealBrokenError as error:
            return Examined(unavailable=f"the valves cannot be opened: {error}")
        person = await self._people.account(asked.tenant, asked.user_id) if asked.user_id else None
        outcome = await self._run(asked, made, Examination(what=asked.what, of=asked.of, values=values, person=person))
        if outcome.status != "SUCCESS":
            told = outcome.error if outcome.error_type == _BY_THE_CODE else outcome.message
            return Examined(error=told[:_MOST_TOLD] or outcome.error_type)
        if outcome.response is not None:
            raise _UntrueError
        return self._found(asked, bytes(outcome.result))

    async def _run(self, asked: Examine, made: Artefact, examination: Examination) -> Outcome:
        asker = Asker(asked.tenant, asked.tenant)
        if not await self._slots.take(asker, within_s=self._wait_s):
            raise Unavailable("too much of the tenant's code is being looked into")
        try:
            outcome = await self._mode.run(
                Call(
                    task_id=asked.id,
                    tenant=asked.tenant,
                    function_id=asked.function_id,
                    code_hash=asked.code_hash,
                    artefact=made,
                    params=b"{}",
                    context={},
                    limits=self._limits,
                    examination=examination,
                )
            )
        finally:
            self._slots.give(asker)
        if not isinstance(outcome, Outcome):  # what may be tried again is not tried here
            return outcome.outcome
        return outcome

    def _found(self, asked: Examine, result: bytes) -> Examined:
        if asked.what == "code":
            code = _decoded(result, _Code)
            if code.fault:
                return Examined(error=code.fault[:_MOST_TOLD], misfit=True)
            return Examined(
                kind=code.kind,
                toggle=code.toggle,
                has_valves=code.has_valves,
                has_user_valves=code.has_user_valves,
                secret=code.secret,
            )
        if asked.what == "spec":
            if result != b"null":
                _decoded(result, _Object)
            return Examined(spec=msgspec.Raw(result))
        found = _decoded(result, _Values)
        if found.missing:
            return Examined(missing=True)
        values = bytes(found.values)
        if not values:
            return Examined(error=found.misfit[:_MOST_TOLD] or "the values do not fit", misfit=True)
        _decoded(values, _Object)
        place = examine_place(asked.id, "answered")
        return Examined(values=valves.kept(values, self._keyring, place=place, secret=False))

    def _opened(self, asked: Examine) -> bytes:
        if not asked.values:
            return b""
        return valves.opened(asked.values, self._keyring, place=examine_place(asked.id, "asked"))


def _limits(settings: Executor, platform: Platform) -> Limits:
    """A function's by default, but for the time; what is printed is nobody's."""
    return msgspec.structs.replace(
        platform.bounds.default,
        timeout_s=settings.examine_timeout_s,
        cpu_s=settings.examine_timeout_s,
        output_bytes=0,
        log_lines=0,
        result_bytes=min(_MOST_BYTES, platform.result_bytes),
    )


def _decoded(text: bytes, kind: type[_Found]) -> _Found:
    """Of a worker, which is not believed."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _UntrueError from error
