"""How far the recorder is behind: how old what it writes is."""

import time
from collections.abc import Sequence
from typing import Any

from shared import telemetry
from shared.bus.delivery import Delivery
from shared.bus.messages import Invoke, Started

_OF_LATE_S = 5.0


class Lag:
    """A batch that is tried again and again gets older all the while."""

    def __init__(self) -> None:
        self._since = 0.0  # Unix seconds
        self._last_s = 0.0
        self._ended_at = 0.0
        telemetry.RECORDER_LAG.set_function(self.seconds)

    def begin(self, batch: Sequence[Delivery[Any]]) -> None:
        """These are about to be written."""
        moments = [moment for delivery in batch if (moment := _moment(delivery.body))]
        self._since = min(moments, default=time.time())

    def end(self) -> None:
        """They are."""
        self._last_s, self._ended_at, self._since = time.time() - self._since, time.monotonic(), 0.0

    def stop(self) -> None:
        """They will not be, here."""
        self._since = 0.0

    def seconds(self) -> float:
        """The age of what is being written, or was just now."""
        if self._since:
            return max(0.0, time.time() - self._since)
        return max(0.0, self._last_s) if time.monotonic() - self._ended_at < _OF_LATE_S else 0.0


def _moment(body: Any) -> float:
    """When it was told. A command is held back on purpose, until its end comes: it says nothing."""
    if isinstance(body, Invoke):
        return 0.0
    moment: float = body.timeline.started if isinstance(body, Started) else body.timeline.done
    return moment
