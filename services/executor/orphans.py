"""What a call has called, and nobody waits for any more because the call was cancelled: it is cancelled, too."""

import asyncio

from shared import telemetry
from shared.bus.broker import Bus
from shared.bus.cancels import Cancels
from shared.bus.lookup import find_command
from shared.cancelling import cancel, end_of
from shared.domain.outcome import cancelled
from shared.domain.problem import Problem

_TRIES = 30
_AGAIN_S = 1.0
_log = telemetry.logger("orphans")


class Orphans:
    """Children whose parent was cut here, in this moment or not long ago.

    The API ends those that it finds on record; these may not be there yet. Their own children are ended in the same way
    by whoever runs them.
    """

    def __init__(self, bus: Bus, cancels: Cancels) -> None:
        self._bus = bus
        self._cancels = cancels
        self._ending: set[asyncio.Task[None]] = set()

    def left(self, tenant: str, parent_task_id: str, *, child: str, since: float) -> None:
        """The parent waits no more for this child, which it has called at `since`, Unix seconds."""
        if parent_task_id not in self._cancels:  # its time was up, or its executor stops: then the child runs on
            return
        ending = asyncio.create_task(self._end(tenant, parent_task_id, child=child, since=since))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, tenant: str, parent_task_id: str, *, child: str, since: float) -> None:
        function: str | None = None  # of the child: its parent's is none of its facts
        by = await self._cancels.by(tenant, parent_task_id)
        for _ in range(_TRIES):
            try:
                command = await find_command(self._bus, tenant=tenant, task_id=child, around=since)
                if command is not None:
                    function = command.body.function
                    await cancel(self._bus, end_of(command, cancelled(by)), by=by, reply_to=command.body.reply_to)
            except Problem:
                await asyncio.sleep(_AGAIN_S)
            else:
                return
        _log.warning("could not cancel", tenant=tenant, function=function, task_id=child, parent_task_id=parent_task_id)
