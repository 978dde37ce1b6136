"""The triggers of a function between what was asked for and what is kept: the one of kind cron is its schedule."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.domain.function import Function
from shared.domain.problem import Problem, wrong
from shared.domain.trigger import SHOWN_SECRET, TRIGGER_KINDS, Trigger, check_triggers, trigger_place
from shared.schedule import check_schedule
from shared.secrets import Keyring

_WORDS = {"cron_expression": "schedule", "schedule_timezone": "timezone"}


class Triggers:
    """Checks triggers, and seals what is secret in them."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def checked(self, triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
        """The triggers with what their kinds add. Raises Problem(invalid)."""
        asked = list(triggers)
        checked = check_triggers(asked)
        for number, trigger in enumerate(asked):
            if trigger.type == "cron":
                _check_cron(next(one for one in checked if one.type == "cron"), f"triggers[{number}].config")
        return checked

    def values(
        self, triggers: Iterable[Trigger], *, tenant: str, function_id: int, before: Function | None
    ) -> dict[str, Any]:
        """The fields of the function that keep these. Raises Problem(invalid, unavailable)."""
        kept, cron = [], None
        for trigger in triggers:
            if trigger.type == "cron":
                cron = trigger
            elif secret := trigger.config.get("secret"):
                sealed = self._sealed(secret, tenant=tenant, function_id=function_id, before=before)
                kept.append(msgspec.structs.replace(trigger, config={**trigger.config, "secret": sealed}))
            else:
                kept.append(trigger)
        return {
            "triggers": msgspec.to_builtins(kept),
            "schedule_enabled": cron is not None and cron.enabled,
            "cron_expression": cron.config["schedule"] if cron else "",
            "schedule_timezone": cron.config["timezone"] if cron else "UTC",
        }

    def _sealed(self, secret: str, *, tenant: str, function_id: int, before: Function | None) -> str:
        if secret != SHOWN_SECRET:
            return self._keyring.seal(secret.encode(), place=trigger_place(tenant, function_id, "webhook"))
        for trigger in before.triggers if before else ():
            if trigger.type == "webhook" and "secret" in trigger.config:
                return str(trigger.config["secret"])
        message = f"secret is '{SHOWN_SECRET}', and none is stored that it could stand for; send the secret itself"
        raise wrong("triggers.webhook.secret", message)


def shown(function: Function) -> list[Trigger]:
    """All triggers of a function, the schedule among them, without what is secret."""
    found = [_masked(trigger) for trigger in function.triggers]
    if function.cron_expression:
        config = {"schedule": function.cron_expression, "timezone": function.schedule_timezone}
        found.append(Trigger("cron", config, enabled=function.schedule_enabled))
    return sorted(found, key=lambda trigger: TRIGGER_KINDS.index(trigger.type))


def _masked(trigger: Trigger) -> Trigger:
    if "secret" not in trigger.config:
        return trigger
    return msgspec.structs.replace(trigger, config={**trigger.config, "secret": SHOWN_SECRET})


def _check_cron(trigger: Trigger, place: str) -> None:
    """The schedule's own check, in the words of a trigger."""
    config = trigger.config
    try:
        check_schedule(enabled=True, expression=config["schedule"], zone=config["timezone"], now=datetime.now(UTC))
    except Problem as problem:
        message = problem.message
        for word, other in _WORDS.items():
            message = message.replace(word, other)
        field = f"{place}.{_WORDS.get(next(iter(problem.fields), ''), 'schedule')}"
        raise wrong(field, f"{field}: {message}") from None
