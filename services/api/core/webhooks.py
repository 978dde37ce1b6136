"""Webhooks of functions: their URLs and secrets, another secret, and who has tried them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.environments import no_function
from services.api.core.history import History
from services.api.core.rights import may_develop, must_develop, must_read
from services.api.core.webhook_secrets import WebhookSecrets, trigger_of
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.problem import Problem, wrong
from shared.domain.signing_secrets import SigningSecrets
from shared.domain.trigger import SHOWN_SECRET
from shared.secrets import new_signing_secret
from shared.store import attempts as stored
from shared.store.client import Store
from shared.store.functions import Functions

Attempt = stored.Attempt

_TRIES = 60  # each is lost only to another change of the same function in the same moment


class Webhook(NamedTuple):
    """A function's webhook. `signature` is empty for those who may not have it.

    `generated` is the secret that was just made, and is told this once; empty where none was.
    """

    app: App
    function: Function
    secrets: SigningSecrets
    signature: str
    generated: str = ""


class Webhooks:
    """What can be done with webhooks. Every method raises Problem(unavailable) when the store is away."""

    def __init__(
        self, store: Store, directory: Directory, *, apps: Apps, history: History, secrets: WebhookSecrets
    ) -> None:
        self._store = store
        self._directory = directory
        self._apps = apps
        self._history = history
        self._secrets = secrets

    def signatures(self, caller: Caller, app: App, functions: Sequence[Function]) -> dict[int, str]:
        """What signs the URLs of those that have a webhook, by their ids; empty texts for who may not have them."""
        may = may_develop(caller)
        return {
            function.id: self._secrets.url_signature(app, function) if may else ""
            for function in functions
            if trigger_of(function) is not None
        }

    async def shown(self, caller: Caller, named: str, name: str) -> Webhook:
        """A function's webhook. Raises Problem(not_found)."""
        must_read(caller)
        app, function = await self._found(caller, named, name)
        secrets = self._secrets.of(function)
        if secrets is None:
            message = "The webhook's secrets cannot be opened: the operator's key that sealed them is not at hand"
            raise Problem("unavailable", message)
        return Webhook(app, function, secrets, self.signatures(caller, app, [function])[function.id])

    async def rotate(self, caller: Caller, named: str, name: str, *, overlap_s: float, secret: str = "") -> Webhook:
        """Another secret, made here where none is given; those before it are believed for `overlap_s` more.

        Raises Problem(not_found, invalid, conflict).
        """
        must_develop(caller)
        if secret == SHOWN_SECRET:
            raise wrong(
                "secret", f"secret is '{SHOWN_SECRET}', which only stands for one; leave it out to have one made"
            )
        wanted = secret or new_signing_secret()
        for _ in range(_TRIES):
            app, function = await self._found(caller, named, name)
            secrets = self._secrets.rotated(function, wanted, overlap_s=overlap_s)
            changed = await self._changed(function, self._secrets.sealed(function, secrets))
            if changed is not None:
                await self._directory.announce(changed)
                await self._history.add(caller, changed, "Changed")
                signature = self.signatures(caller, app, [changed])[changed.id]
                return Webhook(app, changed, secrets, signature, "" if secret else wanted)
        raise Problem("conflict", "The function is being changed by others; try again in a moment")

    async def attempts(
        self, caller: Caller, named: str, name: str, *, limit: int, before: datetime | None = None
    ) -> list[Attempt]:
        """Who has tried it, the newest first. Raises Problem(not_found)."""
        must_read(caller)
        _, function = await self._found(caller, named, name)
        return await stored.Attempts(self._store, caller.tenant).listed(function.id, limit=limit, before=before)

    async def _found(self, caller: Caller, named: str, name: str) -> tuple[App, Function]:
        app = await self._apps.existing(caller, named)
        function = await Functions(self._store, caller.tenant).called(app.id, name)
        if function is None:
            raise no_function(name)
        if trigger_of(function) is None:
            raise Problem("not_found", "The function has no trigger of type webhook")
        return app, function

    async def _changed(self, function: Function, sealed: str) -> Function | None:
        """The function with this in its trigger; None where somebody else has changed it meanwhile."""
        triggers = [
            msgspec.structs.replace(trigger, config={**trigger.config, "secret": sealed})
            if trigger.type == "webhook"
            else trigger
            for trigger in function.triggers
        ]
        values = {"triggers": msgspec.to_builtins(triggers), "updated_at": datetime.now(UTC)}
        return await Functions(self._store, function.tenant).change_at(function, values)
