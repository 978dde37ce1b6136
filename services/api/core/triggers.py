"""The triggers of a function between what was asked for and what is kept: the one of kind cron is its schedule."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from services.api.core.webhook_secrets import WebhookSecrets
from shared.domain.function import Function
from shared.domain.problem import Problem, wrong
from shared.domain.trigger import SHOWN_SECRET, TRIGGER_KINDS, Trigger, check_triggers
from shared.schedule import check_schedule

_WORDS = {"cron_expression": "schedule", "schedule_timezone": "timezone"}


class Kept(NamedTuple):
    """The fields of a function that keep triggers, and the secret that was made for a webhook; empty for none."""

    values: dict[str, Any]
    generated: str


class Triggers:
    """Checks triggers, and has sealed what is secret in them."""

    def __init__(self, secrets: WebhookSecrets) -> None:
        self._secrets = secrets

    def checked(self, triggers: Iterable[Trigger]) -> tuple[Trigger, ...]:
        """The triggers with what their kinds add. Raises Problem(invalid)."""
        asked = list(triggers)
        checked = check_triggers(asked)
        for number, trigger in enumerate(asked):
            if trigger.type == "cron":
                _check_cron(next(one for one in checked if one.type == "cron"), f"triggers[{number}].config")
        return checked

    def kept(self, triggers: Iterable[Trigger], *, tenant: str, function_id: int, before: Function | None) -> Kept:
        """What is to be written of these. Raises Problem(invalid, unavailable)."""
        stored, cron, generated = [], None, ""
        for trigger in triggers:
            if trigger.type == "cron":
                cron = trigger
            elif trigger.type == "webhook":
                secret = self._secrets.kept(trigger.config, tenant=tenant, function_id=function_id, before=before)
                generated = secret.generated
                stored.append(msgspec.structs.replace(trigger, config={**trigger.config, "secret": secret.sealed}))
            else:
                stored.append(trigger)
        values = {
            "triggers": msgspec.to_builtins(stored),
            "schedule_enabled": cron is not None and cron.enabled,
            "cron_expression": cron.config["schedule"] if cron else "",
            "schedule_timezone": cron.config["timezone"] if cron else "UTC",
        }
        return Kept(values, generated)


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
