"""The functions that come with the platform, by slug: those of `shared.registry`, BUILT_IN and INTERNAL."""

import httpx

from services.executor.children import MOST, Children
from services.executor.mode import Opening
from services.executor.modes.system import callback, mail, notification, provider
from services.executor.modes.system.example import example
from services.executor.modes.system.pipelines import Jobs
from shared import egress
from shared.callback_secrets import CallbackSecrets
from shared.domain.callback import SLUG
from shared.domain.pipeline import JOB
from shared.system import SystemFunction
from shared.waiting import Waiting

_IDLE_CONNECTIONS, _IDLE_S = 16, 30.0  # to the providers of short messages, of which there are two
_RECEIVERS = 64  # idle connections to the receivers of callbacks


class BuiltIn:
    """What they need, opened together and closed together."""

    def __init__(self, opening: Opening) -> None:
        """Raises ConfigError."""
        self._opening = opening
        settings = opening.executor
        self._client: httpx.AsyncClient = egress.open_client(
            opening.platform, timeout_s=provider.TIMEOUT_S, idle_connections=_IDLE_CONNECTIONS, idle_s=_IDLE_S
        )
        self._receivers: httpx.AsyncClient = egress.open_client(
            opening.platform, timeout_s=settings.callback_timeout_s, idle_connections=_RECEIVERS, idle_s=_IDLE_S
        )
        self._mail = mail.open_mail(settings.smtp_url, sender=settings.smtp_from)
        self._providers = {
            "sms": provider.open_provider("SMS", settings.sms_url, token=settings.sms_token, client=self._client),
            "push": provider.open_provider("PUSH", settings.push_url, token=settings.push_token, client=self._client),
        }

    async def functions(self) -> dict[str, SystemFunction]:
        """All of them; without a reach, those that need none."""
        notifications = notification.Notifications(self._mail, self._providers)
        found = {"example": example, "send_notification": notifications.function()}
        if (reach := self._opening.reach) is not None:
            secrets = CallbackSecrets(reach.store, self._opening.keyring)
            found[SLUG] = callback.Callbacks(
                reach.store, secrets, self._receivers, executor=self._opening.executor
            ).function()
            waiting = Waiting(reach.bus, reach.store, instance=f"{reach.instance}-jobs", most=MOST)
            await waiting.open()
            children = Children(
                reach.bus, reach.store, keyring=self._opening.keyring, waiting=waiting, cancels=reach.cancels
            )
            most = self._opening.executor.system_slots // 2
            found[JOB] = Jobs(children, reach.store, functions=reach.functions, most=most).function()
        return found

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
        await self._receivers.aclose()
