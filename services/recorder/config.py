"""The recorder's settings."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Recorder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch is written when it holds `batch` messages, or `linger_s` after its first one.

    One replica records, the others stand by; one that is silent for `lease_s` has its place taken.
    A command waits up to `hold_s` for its end, to be written with it; then it is recorded as PENDING.
    Every `orphans_s`, 0 for never, is looked for what has not ended `orphan_after_s` after it was accepted, and is in
    nobody's hands.
    """

    batch: Annotated[int, Meta(gt=0, le=2000)] = 500
    lease_s: Annotated[float, Meta(ge=2)] = 5.0
    hold_s: Annotated[float, Meta(ge=0, le=5)] = 0.2
    linger_s: Annotated[float, Meta(ge=0, le=1)] = 0.02
    orphans_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    orphan_after_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
