"""Functions from all sources as a body."""

import msgspec

from shared.domain.function import ExecutionMode


class DatabaseFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One of the tenant's functions."""

    id: int
    name: str
    slug: str
    execution_mode: ExecutionMode


class SystemFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One of the platform's functions."""

    id: None = None
    name: str
    slug: str
    execution_mode: ExecutionMode = "system"
    is_active: bool = True


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """Both; `total` counts all, shown or not."""

    database_functions: list[DatabaseFunction]
    system_functions: list[SystemFunction]
    total: int
