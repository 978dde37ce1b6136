"""The valves of plugins, and the people who call them: opened when a call asks for them, and nowhere else."""

import asyncio
from collections import OrderedDict

from services.executor.mode import Person, SecretUnreadableError, Unavailable
from shared import valves
from shared.bus.messages import Dispatch
from shared.domain.function import Function
from shared.domain.plugin import user_valves_place, valves_place
from shared.domain.problem import Problem
from shared.domain.user import Account
from shared.remembered import Remembered
from shared.secrets import Keyring, SealBrokenError
from shared.store.client import Store
from shared.store.user_valves import UserValves
from shared.store.users import Users

_MOST_KNOWN = 10_000
_PATIENCE_S = 0.5  # how long a store that was away is waited for before what it said last is good enough

_Set = tuple[str, int, int]


class Valves:
    """Those of all plugins. What is remembered of them is as it is kept."""

    def __init__(self, store: Store, keyring: Keyring, *, cache_s: float) -> None:
        self._store = store
        self._keyring = keyring
        self._people: Remembered[tuple[str, int], Account] = Remembered(self._ask_person, believed_s=cache_s)
        # Nobody tells of their changes: they are read at every call, by a read of its own that begins with it, so that
        # who has set some and then calls is sure of them. What was read last is for when the store is away.
        self._known: OrderedDict[_Set, tuple[int, str]] = OrderedDict()
        self._reads = 0
        self._away = False

    def of(self, function: Function) -> bytes:
        """The plugin's own. Raises SecretUnreadableError."""
        if function.plugin is None:
            return b""
        return self._opened(function.plugin.valves, valves_place(function.tenant, function.id))

    async def person(self, dispatch: Dispatch, function: Function) -> Person | None:
        """For whom a call is made. Raises Unavailable, SecretUnreadableError."""
        user, actor = dispatch.user, dispatch.actor
        if user is None:
            return Person(id=actor.user_id) if actor is not None and actor.user_id else None
        plugin = function.plugin
        try:
            account = await self._people.find((dispatch.tenant, user.id))
        except Problem as problem:
            raise Unavailable(problem.message) from problem
        # Most plugins have none: no read for them.
        text = await self._set((dispatch.tenant, function.id, user.id)) if plugin and plugin.has_user_valves else ""
        return Person(
            id=str(user.id),
            email=user.email,
            name=(account.full_name if account else "") or user.username,
            role=account.role if account else "",
            valves=self._opened(text, user_valves_place(dispatch.tenant, function.id, user.id)),
        )

    async def account(self, tenant: str, id: int) -> Person | None:
        """A user as plugins see him, without anything that he has set. Raises Unavailable."""
        try:
            found = await self._people.find((tenant, id))
        except Problem as problem:
            raise Unavailable(problem.message) from problem
        if found is None:
            return None
        return Person(id=str(id), email=found.email, name=found.full_name or found.username, role=found.role)

    def _opened(self, text: str, place: str) -> bytes:
        try:
            return valves.opened(text, self._keyring, place=place)
        except SealBrokenError as error:
            raise SecretUnreadableError(f"The valves cannot be opened: {error}") from error

    async def _ask_person(self, key: tuple[str, int]) -> Account | None:
        tenant, id = key
        return await Users(self._store, tenant).by_id(id)

    async def _set(self, key: _Set) -> str:
        """What a user has set by now. Raises Unavailable where nothing is known of it."""
        known = self._known.get(key)
        reading = asyncio.create_task(self._read(key))
        reading.add_done_callback(_seen)
        if known is not None and self._away:
            await asyncio.wait({reading}, timeout=_PATIENCE_S)
            if not reading.done():  # it goes on: should the store answer, the next call knows
                return known[1]
        try:
            return await reading
        except Problem as problem:
            if known is None:
                raise Unavailable(problem.message) from problem
            return known[1]

    async def _read(self, key: _Set) -> str:
        self._reads += 1
        number = self._reads
        try:
            text = await self._stored(key)
        except Problem:
            self._away = True
            raise
        self._away = False
        latest = self._known.pop(key, (0, ""))
        self._known[key] = max(latest, (number, text))  # a read that began later may have ended earlier
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return text

    async def _stored(self, key: _Set) -> str:
        tenant, function_id, user_id = key
        return await UserValves(self._store, tenant).of(function_id, user_id)


def _seen(reading: "asyncio.Task[str]") -> None:
    """Whoever waited for it may be gone."""
    if not reading.cancelled():
        reading.exception()
