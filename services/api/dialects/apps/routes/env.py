"""Environment variables of functions and apps. `services/api/routes.py` has the paths."""

from services.api.dialects.apps.routes.asked import By, To
from services.api.dialects.apps.translate import env as translate
from services.api.dialects.apps.wire import env as wire


async def change_env(*, core: To, caller: By, app_id: str, name: str, data: wire.PatchEnv) -> wire.FunctionChanged:
    """Variables merged into those of a function."""
    return translate.function_changed(await core.environments.change(caller, app_id, name, data.env_vars))


async def show_app_env(*, core: To, caller: By, app_id: str) -> wire.AppEnv:
    """The names of the variables that all functions of an app have."""
    return translate.app_env(await core.environments.of_app(caller, app_id))


async def change_app_env(*, core: To, caller: By, app_id: str, data: wire.PatchEnv) -> wire.AppChanged:
    """Variables merged into those that all functions of an app have."""
    return translate.app_changed(await core.environments.change_app(caller, app_id, data.env_vars))
