"""What sets a function off: at most one trigger of each kind."""

from typing import Any, Literal, get_args

import msgspec

TriggerKind = Literal["http", "cron", "s3_upload", "webhook", "websocket"]
HttpAuth = Literal["required", "optional", "none"]

TRIGGER_KINDS: tuple[TriggerKind, ...] = get_args(TriggerKind)


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """One trigger. `config` is as it was checked at deployment, with what its kind adds by default."""

    type: TriggerKind
    config: dict[str, Any] = {}
    enabled: bool = True


HTTP_BY_DEFAULT = Trigger("http", {"auth": "required"})
"""What a function has that was given none: callers who are known may call it."""
