"""Which uploads a trigger is for. Pure."""

from typing import NamedTuple

from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from shared.domain.function import Function


class Wanted(NamedTuple):
    """The config of a function's s3_upload trigger."""

    bucket: str
    prefix: str
    content_types: tuple[str, ...]

    def is_for(self, event: ObjectEvent) -> bool:
        """Whether it may be meant, as far as no content type is asked for."""
        return event.name.startswith(CREATED) and event.bucket == self.bucket and event.key.startswith(self.prefix)

    def takes(self, content_type: str) -> bool:
        """Whether it is for objects of this type: parameters do not count, nor small or capital letters."""
        told = _base(content_type)
        major = told.partition("/")[0]
        return not self.content_types or any(_base(one) in (told, f"{major}/*", "*/*") for one in self.content_types)


def wanted(function: Function) -> Wanted | None:
    """What the function's trigger is for; None where it has none that is enabled."""
    for trigger in function.triggers:
        if trigger.type == "s3_upload" and trigger.enabled:
            config = trigger.config
            return Wanted(config["bucket"], config.get("prefix", ""), tuple(config.get("contentTypes", ())))
    return None


def _base(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
