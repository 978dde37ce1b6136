"""The recorder's settings."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Recorder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch is written when it holds `batch` messages, or `linger_s` after its first one."""

    batch: Annotated[int, Meta(gt=0, le=2000)] = 500
    linger_s: Annotated[float, Meta(ge=0, le=1)] = 0.02
