"""What is held back of an invocation: its next attempt, or the same one until there is room. Here it is withdrawn."""

import msgspec
import nats.errors

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem


class _Purged(msgspec.Struct, frozen=True):
    success: bool
    purged: int = 0


async def withdraw(bus: Bus, tenant: str, task_id: str) -> int:
    """Take back all that is to come of a task; how many messages that were. Raises Problem(unavailable)."""
    request = msgspec.json.encode({"filter": subjects.held_back(tenant, task_id)})
    try:
        answer = await bus.client.request(f"$JS.API.STREAM.PURGE.{streams.WORK}", request, timeout=bus.timeout_s)
        return msgspec.json.decode(answer.data, type=_Purged).purged
    except (TimeoutError, nats.errors.Error, OSError, msgspec.ValidationError) as error:  # an error has no `success`
        raise Problem("unavailable", AWAY) from error
