"""The environment variables that a function sees: opened when a worker starts, and nowhere else."""

from services.executor.mode import SecretUnreadableError, Unavailable
from shared.domain import app
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError
from shared.store.apps import Apps
from shared.store.client import Store


async def environment_of(function: Function, store: Store, keyring: Keyring, *, api_url: str) -> dict[str, str]:
    """Those of its app, its own before them, the platform's before all.

    The app is read now: it is as new as the function's `env_revision` at least, which grows after the app has changed.
    Raises Unavailable, SecretUnreadableError.
    """
    try:
        found = await Apps(store, function.tenant).find(function.app_slug)
    except Problem as problem:
        raise Unavailable(problem.message) from problem
    shared = found.env if found is not None and found.id == function.app else {}
    return {
        **_opened("app", shared, function, keyring),
        **_opened("function", function.env, function, keyring),
        **_platforms(function, api_url),
    }


def _opened(owner: app.Owner, sealed: dict[str, str], function: Function, keyring: Keyring) -> dict[str, str]:
    id = function.app if owner == "app" else function.id
    values = {}
    for key, text in sealed.items():
        try:
            values[key] = keyring.unseal(text, place=app.env_place(owner, function.tenant, id, key)).decode()
        except SealBrokenError as error:
            raise SecretUnreadableError(f"The environment variable '{key}' cannot be opened: {error}") from error
    return values


def _platforms(function: Function, api_url: str) -> dict[str, str]:
    said = {
        "SHOAL_APP_ID": app.public_id(function.tenant, function.app),
        "SHOAL_APP_NAME": function.app_name,
        "SHOAL_FUNCTION_ID": str(function.id),
        "SHOAL_FUNCTION_NAME": function.deployed_as or function.name,
    }
    return said | ({"SHOAL_API_URL": api_url} if api_url else {})
