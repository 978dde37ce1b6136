"""Queues as bodies, field by field."""

import msgspec


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of executors: the calls that wait for one, and those that one has: they run, or are about to."""

    pool: str
    queued: int
    in_hand: int


class Queues(msgspec.Struct, frozen=True, kw_only=True):
    """What waits and what runs of a tenant. A pool without any call is not in it.

    For the operator it is of all tenants: `tenant` is null then, `unrouted` commands have not been routed yet, and
    `delayed` calls wait for their moment, as another try does.
    """

    tenant: str | None
    pools: list[PoolRow]
    unrouted: int | None
    delayed: int | None
