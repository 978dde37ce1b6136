"""A layer is tried: a throw-away child puts it on, and then tries the forbidden."""

import os
import select
import signal
from collections.abc import Callable
from typing import Any

ON = "on"

_PATIENCE_S = 5.0
_MAX_SAID_BYTES = 300


class NotHeldError(Exception):
    """The forbidden thing worked, or failed for another reason than the layer."""


def refused(number: int, action: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """The action must fail with this error and no other."""
    what = getattr(action, "__qualname__", repr(action))
    try:
        done = action(*arguments, **named)
    except OSError as error:
        if error.errno != number:
            raise NotHeldError(f"{what}: {error}") from error
        return
    if done == 0 and action is os.fork:
        os._exit(0)
    raise NotHeldError(f"{what} is possible")


def in_child(tries: Callable[[], None], deadly: int = 0) -> str:
    """Run it in a child: on when it returns, or when the kernel ends it by the signal `deadly`; else why not."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(theirs, tries)
    os.close(theirs)
    if not select.select([ours], [], [], _PATIENCE_S)[0]:
        os.kill(child, signal.SIGKILL)
    said = os.read(ours, _MAX_SAID_BYTES).decode("utf-8", "replace")
    os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -deadly and (said == ON or deadly):
        return ON
    return f"off: {said or f'the probe ended with status {status}'}"


def _tell(pipe: int, tries: Callable[[], None]) -> None:
    said = ON
    try:
        tries()
    except Exception as error:  # noqa: BLE001 - whatever it is, the layer is not there
        said = str(error) or type(error).__name__
    finally:
        os.write(pipe, said.encode()[:_MAX_SAID_BYTES])
        os._exit(0)
