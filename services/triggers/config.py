"""The settings of the triggers service."""

import msgspec


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """None yet."""
