"""Between environment variables and their bodies. Pure."""

from services.api.core.environments import Renewed
from services.api.dialects.apps.translate.functions import called
from services.api.dialects.apps.translate.stamps import maybe, stamp
from services.api.dialects.apps.wire import env as wire
from shared.domain.app import App
from shared.domain.function import Function


def function_changed(function: Function) -> wire.FunctionChanged:
    """The answer to a change of a function's variables."""
    changed = wire.Changed(id=str(function.id), name=called(function), updated_at=stamp(function.updated_at))
    return wire.FunctionChanged(function=changed, updated_keys=sorted(function.env))


def app_env(app: App) -> wire.AppEnv:
    """The variables of an app."""
    return wire.AppEnv(keys=sorted(app.env), updated_at=maybe(app.env_updated_at))


def app_changed(renewed: Renewed) -> wire.AppChanged:
    """The answer to a change of an app's variables."""
    invalidated = wire.Invalidated(functions=renewed.names, count=renewed.functions)
    return wire.AppChanged(updated_keys=sorted(renewed.app.env), invalidated=invalidated)
