"""The environment variables that a function sees: opened when it asks for them, and nowhere else."""

from collections.abc import Mapping

from services.executor.mode import SecretUnreadableError, Unavailable
from shared.domain import app
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.remembered import Remembered
from shared.secrets import Keyring, SealBrokenError
from shared.store.apps import Apps
from shared.store.client import Store

_Key = tuple[str, str, int, int, int]


class Environments:
    """Those of all functions. What is remembered of their apps is sealed."""

    def __init__(self, store: Store, keyring: Keyring, *, api_url: str, cache_s: float) -> None:
        self._store = store
        self._keyring = keyring
        self._api_url = api_url
        # By tenant, app, function, and `env_revision`, which grows after the app has changed: what was read since a
        # revision was seen is as new as that revision.
        self._shared: Remembered[_Key, Mapping[str, str]] = Remembered(self._ask, believed_s=cache_s)

    async def of(self, function: Function) -> dict[str, str]:
        """Those of its app, its own before them, the platform's before all.

        Raises Unavailable, SecretUnreadableError.
        """
        key = (function.tenant, function.app_slug, function.app, function.id, function.env_revision)
        try:
            shared = await self._shared.find(key) or {}
        except Problem as problem:
            raise Unavailable(problem.message) from problem
        return {
            **self._opened("app", shared, function),
            **self._opened("function", function.env, function),
            **self._platforms(function),
        }

    async def _ask(self, key: _Key) -> Mapping[str, str]:
        tenant, slug, id, _, _ = key
        found = await Apps(self._store, tenant).find(slug)
        return found.env if found is not None and found.id == id else {}

    def _opened(self, owner: app.Owner, sealed: Mapping[str, str], function: Function) -> dict[str, str]:
        id = function.app if owner == "app" else function.id
        values = {}
        for key, text in sealed.items():
            place = app.env_place(owner, function.tenant, id, key)
            try:
                values[key] = self._keyring.unseal(text, place=place).decode()
            except SealBrokenError as error:
                message = f"The environment variable '{key}' cannot be opened: {error}"
                raise SecretUnreadableError(message) from error
        return values

    def _platforms(self, function: Function) -> dict[str, str]:
        said = {
            "SHOAL_APP_ID": app.public_id(function.tenant, function.app),
            "SHOAL_APP_NAME": function.app_name,
            "SHOAL_FUNCTION_ID": str(function.id),
            "SHOAL_FUNCTION_NAME": function.deployed_as or function.name,
        }
        return said | ({"SHOAL_API_URL": self._api_url} if self._api_url else {})
