"""The valves of plugins, and those that users set for themselves: checked by their code, and kept whole."""

from typing import Any

import msgspec

from services.api.core.examining import Examining
from services.api.core.plugin_writing import PluginWriting
from services.api.core.rights import must_execute, must_keep_plugins, must_read, must_read_plugins
from shared import valves
from shared.domain.caller import Caller
from shared.domain.function import MAX_FREEFORM_BYTES, Function, check_freeform
from shared.domain.plugin import Plugin, user_valves_place, valves_place
from shared.domain.problem import Problem, wrong
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.user_valves import UserValves

_NULL = msgspec.Raw(b"null")
_TRIES = 5  # each is lost only to a change of the code in the same moment


class Valves:
    """What can be done with valves. Every method raises Problem(not_found) for a key that nobody has."""

    def __init__(self, store: Store, keyring: Keyring, *, examining: Examining, writing: PluginWriting) -> None:
        self._store = store
        self._keyring = keyring
        self._examining = examining
        self._writing = writing

    async def of(self, caller: Caller, key: str) -> dict[str, Any]:
        """What is set; empty for nothing. Raises Problem(unavailable) where no key at hand opens it."""
        must_read_plugins(caller)
        return self.opened(await self._writing.named(caller, key))

    async def spec(self, caller: Caller, key: str) -> msgspec.Raw:
        """Their JSON schema; null where the code has none. Raises Problem(invalid, unavailable)."""
        must_read_plugins(caller)
        function = await self._writing.named(caller, key)
        return await self._examining.spec(caller, function) if function.active else _NULL

    async def replace(self, caller: Caller, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """Let these be all that is set, and nothing for one that is None; what is kept of them.

        Raises Problem(invalid) where they do not fit, Problem(not_found) where the code has none, and Problem(conflict,
        unavailable).
        """
        must_keep_plugins(caller)
        wanted = _given(values)
        checked = _Checked()

        async def change(latest: Function, plugin: Plugin) -> dict[str, Any]:
            # By the code that is active in the very revision that is written; asked anew only where it is another one.
            await self._check(checked, latest, wanted, users=False)
            text = valves.kept(
                checked.text,
                self._keyring,
                place=valves_place(latest.tenant, latest.id),
                secret=plugin.secret_valves,
            )
            return {"plugin.valves": text}

        await self._writing.change(caller, key, change)
        return checked.values

    async def of_user(self, caller: Caller, key: str) -> dict[str, Any]:
        """What the caller has set for himself; empty for nothing."""
        must_read(caller)
        function = await self._writing.named(caller, key)
        text = await UserValves(self._store, caller.tenant).of(function.id, caller.user.id)
        return self._decoded(text, user_valves_place(caller.tenant, function.id, caller.user.id))

    async def spec_for_user(self, caller: Caller, key: str) -> msgspec.Raw:
        """The JSON schema of what users may set; null where the code has nothing, and for one that is not active."""
        must_read(caller)
        function = await self._writing.named(caller, key)
        if not function.is_active or function.active is None:
            return _NULL
        return await self._examining.spec(caller, function, users=True)

    async def replace_for_user(self, caller: Caller, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """`replace`, of what the caller has set for himself; Problem(invalid) also for one that is not active."""
        must_execute(caller)
        wanted = _given(values)
        checked = _Checked()
        for _ in range(_TRIES):
            function = await self._writing.named(caller, key)
            if not function.is_active:
                raise Problem("invalid", "Function is not active")
            if checked.fits(function):
                await self._keep_for_user(caller, function, checked)
                return checked.values
            await self._check(checked, function, wanted, users=True)
        raise Problem("conflict", "The code is being changed by others; try again in a moment")

    def opened(self, function: Function) -> dict[str, Any]:
        """What a plugin has set. Raises Problem(unavailable) where no key at hand opens it."""
        text = function.plugin.valves if function.plugin else ""
        return self._decoded(text, valves_place(function.tenant, function.id))

    async def _check(self, checked: "_Checked", function: Function, wanted: bytes, *, users: bool) -> None:
        if not checked.fits(function):
            if function.active is None:  # it is being deleted
                raise Problem("not_found", "Function not found")
            checked.keep(function.active.code_hash, await self._examining.values(function, wanted, users=users))

    async def _keep_for_user(self, caller: Caller, function: Function, checked: "_Checked") -> None:
        own, user_id = UserValves(self._store, caller.tenant), caller.user.id
        secret = function.plugin is not None and function.plugin.secret_valves
        place = user_valves_place(caller.tenant, function.id, user_id)
        await own.keep(function.id, user_id, valves.kept(checked.text, self._keyring, place=place, secret=secret))
        # Who deletes a function looks for these once more at the end, and we for it: one of the two comes last.
        if await Functions(self._store, caller.tenant).by_id(function.id) is None:
            await own.delete_of(function.id)
            raise Problem("not_found", "Function not found")

    def _decoded(self, text: str, place: str) -> dict[str, Any]:
        return msgspec.json.decode(valves.read(text, self._keyring, place=place), type=dict[str, Any])


class _Checked:
    """Valves as the code of this hash would have them kept: JSON text, and what it says."""

    def __init__(self) -> None:
        self.text = b"{}"
        self.values: dict[str, Any] = {}
        self._digest = ""

    def fits(self, function: Function) -> bool:
        """Whether it is the function's code that has checked them."""
        return function.active is not None and function.active.code_hash == self._digest

    def keep(self, digest: str, text: bytes) -> None:
        """What the code has made of them. Raises Problem(invalid)."""
        self.text, self.values, self._digest = text, dumped(text), digest


def _given(values: dict[str, Any]) -> bytes:
    """JSON text of what was sent, without what is None. Raises Problem(invalid)."""
    values = {name: value for name, value in values.items() if value is not None}
    check_freeform("valves", values)
    return msgspec.json.encode(values)


def dumped(text: bytes) -> dict[str, Any]:
    """What code has made of valves, which may be more than it was given. Raises Problem(invalid)."""
    try:
        values: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        check_freeform("valves", values)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise wrong("valves", f"The code has made of them what cannot be kept: {error}") from error
    if len(text) > MAX_FREEFORM_BYTES:
        raise wrong("valves", f"valves must not be longer than {MAX_FREEFORM_BYTES} bytes")
    return values
