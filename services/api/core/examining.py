"""Plugins' code looked into, by an executor: no code of a plugin ever runs here."""

import uuid

import msgspec

from shared import valves
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import Examine, Examined
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.plugin import examine_place
from shared.domain.problem import Problem
from shared.secrets import Keyring

POOL = "python"
"""The executor pool of plugins."""


class Examining:
    """What has code looked into. `wait_s` bounds how long an executor may take."""

    def __init__(self, bus: Bus, keyring: Keyring, *, wait_s: float) -> None:
        self._bus = bus
        self._keyring = keyring
        self._wait_s = wait_s

    async def code(self, tenant: str, digest: str, *, function_id: int = 0, values: bytes = b"") -> Examined:
        """What a stored and compiled source is; with `values`, its valves have to fit it as far as they go.

        Raises Problem(invalid), in the field `content`, or `valves` where it is these; and Problem(unavailable).
        """
        asked = Examine(id=str(uuid.uuid4()), tenant=tenant, function_id=function_id, code_hash=digest, what="code")
        return await self._asked(asked, values)

    async def spec(self, caller: Caller, function: Function, *, users: bool = False) -> msgspec.Raw:
        """The JSON schema of a plugin's valves, or of its users'; null where it has none.

        Raises Problem(invalid, unavailable).
        """
        asked = Examine(
            id=str(uuid.uuid4()),
            tenant=function.tenant,
            function_id=function.id,
            code_hash=function.active.code_hash if function.active else "",
            what="spec",
            of="user_valves" if users else "valves",
            user_id=caller.user.id,
        )
        return (await self._asked(asked, b"")).spec

    async def values(self, function: Function, values: bytes, *, users: bool = False) -> bytes:
        """What is to be kept of a plugin's valves, or of its users', once its code has checked them: JSON text.

        Raises Problem(invalid) where they do not fit, in the field `valves`, Problem(not_found) where there are no such
        valves, and Problem(unavailable).
        """
        digest = function.active.code_hash if function.active else ""
        return await self.fitted(function.tenant, digest, values, function_id=function.id, users=users)

    async def fitted(
        self, tenant: str, digest: str, values: bytes, *, function_id: int = 0, users: bool = False
    ) -> bytes:
        """`values`, of code that need not be a plugin's yet."""
        asked = Examine(
            id=str(uuid.uuid4()),
            tenant=tenant,
            function_id=function_id,
            code_hash=digest,
            what="values",
            of="user_valves" if users else "valves",
        )
        answer = await self._asked(asked, values)
        if answer.missing:
            raise Problem("not_found", "The code has no such valves")
        return valves.read(answer.values, self._keyring, place=examine_place(asked.id, "answered"))

    async def _asked(self, asked: Examine, values: bytes) -> Examined:
        if values:
            sealed = valves.kept(values, self._keyring, place=examine_place(asked.id, "asked"), secret=False)
            asked = msgspec.structs.replace(asked, values=sealed)
        answer = await self._bus.ask(subjects.examine(POOL), asked, answer=Examined, timeout_s=self._wait_s)
        if answer.unavailable:
            raise Problem("unavailable", f"The code could not be looked into: {answer.unavailable}")
        if answer.error:
            raise Problem("invalid", answer.error, {"valves" if answer.misfit else "content": answer.error})
        return answer
