"""Environment variables as bodies, field by field. There are no values in what is answered."""

import msgspec
from msgspec import field

from services.api.dialects.apps.wire.functions import Invalidation


class PatchEnv(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change: values are merged, a null deletes."""

    env_vars: dict[str, str | None] = field(name="envVars")


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Whose variables were changed."""

    id: str
    name: str
    updated_at: str


class FunctionChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a change of a function's variables; `updatedKeys` are all that it has now."""

    function: Changed
    updated_keys: list[str] = field(name="updatedKeys")
    message: str = "Environment variables updated successfully"
    cache_invalidation: Invalidation = Invalidation()


class AppEnv(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The variables of an app, by name."""

    keys: list[str]
    updated_at: str | None


class Invalidated(msgspec.Struct, frozen=True, kw_only=True):
    """How many functions have the change, and the names of the first thousand of them."""

    functions: list[str]
    count: int


class AppChanged(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a change of an app's variables; `updatedKeys` are all that it has now."""

    updated_keys: list[str]
    invalidated: Invalidated
    message: str = "Environment variables updated successfully"
