"""The settings of an app. `services/api/routes.py` has the paths."""

from services.api.dialects.apps.routes.asked import By, To
from services.api.dialects.apps.translate import config as translate
from services.api.dialects.apps.wire import config as wire


async def show_config(*, core: To, caller: By, app_id: str) -> wire.Config:
    """An app's settings; a secret is not among them, only that there is one."""
    return translate.config(await core.settings.shown(caller, app_id))


async def change_config(*, core: To, caller: By, app_id: str, data: wire.PatchConfig) -> wire.Config:
    """Some of an app's settings."""
    return translate.config(await core.settings.change(caller, app_id, translate.change(data)))
