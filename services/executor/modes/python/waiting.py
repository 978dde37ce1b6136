"""The `time.sleep` of a function."""

import time

from services.executor.modes.python.current import OUTPUT

_LONG_S = 0.05


def sleep(seconds: float, /) -> None:
    """Python's own. Before a long one the executor is given what the call has written, as it may be cut meanwhile."""
    if type(seconds) not in (int, float) or seconds >= _LONG_S:
        output = OUTPUT.get()
        if output is not None:
            output.hand_over()
    time.sleep(seconds)
