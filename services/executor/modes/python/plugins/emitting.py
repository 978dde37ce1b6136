"""The events that a hook emits: each is a line of the call's log."""

from collections.abc import Callable
from typing import Any

from services.executor.modes.python.coroutines import Ready

Log = Callable[[object, str, Any], None]
"""The `log` of the call: message, level, data."""

_NOBODY = "nobody is connected to this call who could answer: events can be emitted, not asked"


class _Done(Ready):
    """What an emitter returns: there is nothing to wait for, and it can be awaited all the same."""

    __slots__ = ()

    def result(self) -> None:
        """Nothing."""

    def __repr__(self) -> str:
        return "<emitted>"


_DONE = _Done()


def emitter(log: Log) -> Callable[[Any], _Done]:
    """The `__event_emitter__` of one call. It raises TypeError for what is no event."""

    def emit(event: Any) -> _Done:
        kind = dict.get(event, "type") if isinstance(event, dict) else None
        if type(kind) is not str:
            raise TypeError('an event is a dict with a text as its "type"')
        log(kind, "info", event)
        return _DONE

    return emit


def call_nobody(*_: Any, **__: Any) -> Any:
    """The `__event_call__` of every call."""
    raise RuntimeError(_NOBODY)
