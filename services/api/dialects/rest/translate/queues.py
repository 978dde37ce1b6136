"""From queues to their body. Pure."""

from services.api.core import queues as core
from services.api.dialects.rest.wire import queues as wire


def queues(found: core.Waiting) -> wire.Queues:
    """What is told of them."""
    rows = [wire.PoolRow(pool=one.name, queued=one.queued, in_hand=one.in_hand) for one in found.pools]
    return wire.Queues(tenant=found.tenant, pools=rows, unrouted=found.unrouted, delayed=found.delayed)
