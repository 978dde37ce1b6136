"""The history of a function as a body, field by field."""

from typing import Literal

import msgspec

from shared.domain.function import ExecutionMode


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A function after a change."""

    history_id: int
    history_date: str
    history_type: Literal["Created", "Changed", "Deleted"]
    history_user: str
    name: str
    slug: str
    execution_mode: ExecutionMode
    is_active: bool
    schedule_enabled: bool
