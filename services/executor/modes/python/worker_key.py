"""Whose worker it is."""

import msgspec


class Key(msgspec.Struct, frozen=True):
    """Whose code a worker runs: never another tenant's, another function's or another version's."""

    tenant: str
    function_id: int
    code_hash: str
    memory_mb: int
