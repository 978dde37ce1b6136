"""Whose worker it is."""

import msgspec

from shared.domain.egress_policy import Policy


class Key(msgspec.Struct, frozen=True):
    """Whose code a worker runs, with which environment, and what it may reach: never another's, nor an older one."""

    tenant: str
    function_id: int
    code_hash: str
    env_revision: int
    memory_mb: int
    egress: Policy
