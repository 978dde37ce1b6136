"""The settings of the scheduler service."""

import msgspec


class Scheduler(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None yet."""
