"""Which function a webhook's path means, how it is to be verified, and the secrets for that."""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from services.triggers.kind import World
from shared.callers.addressed import addressed_app
from shared.domain import signing_secrets
from shared.domain.app import App
from shared.domain.function import Function
from shared.domain.limits import Limits, limits_of
from shared.domain.signing_secrets import SigningSecrets
from shared.domain.trigger import Webhook, trigger_place

_MOST_OPENED = 2000
_NO_SECRETS = SigningSecrets(url_key="")


class Place(NamedTuple):
    """A webhook that is there: its function has an enabled trigger for it. `name` is as the path has it."""

    app: App
    name: str
    function: Function
    config: Webhook
    limits: Limits


class Places:
    """Paths in, places out, without a look into the store where they are known."""

    def __init__(self, world: World) -> None:
        self._world = world
        keyring = world.service.keyring

        def opened(sealed: str, place: str) -> SigningSecrets:
            return signing_secrets.opened(keyring.unseal(sealed, place=place))

        self._opened = lru_cache(maxsize=_MOST_OPENED)(opened)

    async def find(self, app: str, name: str, *, host: str) -> Place | None:
        """The webhook of the function of this name. Raises Problem(unavailable, invalid, not_found)."""
        world = self._world
        found = await addressed_app(world.apps, world.auth, app, host=host)
        if found is None or not await world.edge.is_open(found.tenant):
            return None
        function = await world.functions.called(found.tenant, found.id, name)
        trigger = None if function is None else function.trigger("webhook")
        if function is None or trigger is None or (function.execution_mode == "app" and function.active is None):
            return None
        open_config = {field: value for field, value in trigger.config.items() if field != "secret"}
        ceilings = await world.edge.ceilings(found.tenant)
        limits = limits_of(function.config, world.service.platform.bounds, tenant=ceilings)
        return Place(found, name, function, msgspec.convert(open_config, Webhook), limits)

    def secrets(self, function: Function) -> SigningSecrets:
        """What the function's webhooks are verified with. Raises SealBrokenError."""
        trigger = function.trigger("webhook")
        sealed = trigger.config.get("secret") if trigger is not None else None
        if not sealed:
            return _NO_SECRETS
        return self._opened(sealed, trigger_place(function.tenant, function.id, "webhook"))
