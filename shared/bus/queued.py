"""Whether work is still to be done: what WORK has is queued, held by an executor, or waits for its moment."""

import nats.errors
from nats.js.errors import APIError, NotFoundError

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.publisher import AWAY
from shared.domain.problem import Problem

_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


async def is_queued(bus: Bus, sequence: int) -> bool:
    """Whether WORK has the message with this sequence: it is not done. Raises Problem(unavailable)."""
    try:
        await bus.stream.get_msg(streams.WORK, sequence)
    except NotFoundError:
        return False
    except _FAULTS as error:
        raise Problem("unavailable", AWAY) from error
    return True
