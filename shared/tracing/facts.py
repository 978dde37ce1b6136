"""What spans say of an invocation and of a message, in the words of OpenTelemetry's conventions where there are some.

Never what it was called with, what came of it, or a line of its headers.
"""

from typing import Any, Protocol

from shared.domain.invocation import TriggerType

# The conventions know few kinds of triggers: ours is told beside theirs.
_TRIGGERS: dict[TriggerType, str] = {
    "api": "http",
    "http": "http",
    "webhook": "http",
    "websocket": "other",
    "function": "other",
    "schedule": "timer",
    "s3_upload": "datasource",
}


class Told(Protocol):
    """A message about an invocation."""

    @property
    def task_id(self) -> str: ...  # noqa: D102 - as in the messages
    @property
    def tenant(self) -> str: ...  # noqa: D102
    @property
    def function(self) -> str: ...  # noqa: D102
    @property
    def trigger_type(self) -> TriggerType: ...  # noqa: D102


def facts_of(told: Told) -> dict[str, Any]:
    """Which invocation it is."""
    return {
        "faas.invocation_id": told.task_id,
        "faas.trigger": _TRIGGERS[told.trigger_type],
        "shoal.tenant": told.tenant,
        "shoal.function": told.function,
        "shoal.trigger": told.trigger_type,
    }


def sent(told: Told, stream: str) -> dict[str, Any]:
    """A message about it is put into a stream."""
    return {**_message(told, stream), "messaging.operation.type": "send", "messaging.operation.name": "publish"}


def taken(told: Told, stream: str, *, count: int) -> dict[str, Any]:
    """A message about it is handled, which was handed out for the `count`th time."""
    return {
        **_message(told, stream),
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "shoal.delivery": count,
    }


def _message(told: Told, stream: str) -> dict[str, Any]:
    return {
        "messaging.system": "nats",
        "messaging.destination.name": stream,
        "messaging.message.id": told.task_id,
        **facts_of(told),
    }
