"""The valves of plugins, and the people who call them: opened when a call asks for them, and nowhere else."""

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

_Set = tuple[str, int, int]
_NO_TIME_S = 0.0


class Valves:
    """Those of all plugins. What is remembered of them is as it is kept."""

    def __init__(self, store: Store, keyring: Keyring, *, cache_s: float) -> None:
        self._store = store
        self._keyring = keyring
        self._people: Remembered[tuple[str, int], Account] = Remembered(self._ask_person, believed_s=cache_s)
        # Asked for at every call, for nobody tells of their changes; with the store away, what was told last.
        self._set: Remembered[_Set, str] = Remembered(self._ask_set, believed_s=_NO_TIME_S)

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
        try:
            account = await self._people.find((dispatch.tenant, user.id))
            plugin = function.plugin
            text = await self._set.find((dispatch.tenant, function.id, user.id)) if plugin else None
        except Problem as problem:
            raise Unavailable(problem.message) from problem
        return Person(
            id=str(user.id),
            email=user.email,
            name=(account.full_name if account else "") or user.username,
            role=account.role if account else "",
            valves=self._opened(text or "", user_valves_place(dispatch.tenant, function.id, user.id)),
        )

    def _opened(self, text: str, place: str) -> bytes:
        try:
            return valves.opened(text, self._keyring, place=place)
        except SealBrokenError as error:
            raise SecretUnreadableError(f"The valves cannot be opened: {error}") from error

    async def _ask_person(self, key: tuple[str, int]) -> Account | None:
        tenant, id = key
        return await Users(self._store, tenant).by_id(id)

    async def _ask_set(self, key: _Set) -> str | None:
        tenant, function_id, user_id = key
        return await UserValves(self._store, tenant).of(function_id, user_id)
