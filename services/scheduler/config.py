"""The scheduler's settings."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Scheduler(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Times in seconds.

    `in_hand` bounds the ticks that are held while their runs are submitted; one held by a process that is silent for
    `lease_s` is handed to another. A tick that is later than `missed_s` was missed, and its function's policy says
    what becomes of it. A run that has not ended after `overlap_s` is taken for lost, and holds up no other.
    Every `sweep_s` what is planned is compared with what should be. The ledger is kept for `tick_days`.
    Every `expiry_s` what was not started in time is ended, though nobody has taken it.
    """

    in_hand: Annotated[int, Meta(gt=0, le=5000)] = 500
    lease_s: Annotated[float, Meta(ge=0.5, le=60)] = 1.0
    missed_s: Annotated[float, Meta(ge=10, le=86_400)] = 60.0
    overlap_s: Annotated[float, Meta(ge=60)] = 3600.0
    sweep_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    expiry_s: Annotated[float, Meta(ge=0.1, le=3600)] = 5.0
    tick_days: Annotated[float, Meta(gt=0, le=3650)] = 30.0
