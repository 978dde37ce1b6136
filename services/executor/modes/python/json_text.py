"""A function's values as JSON text."""

import json
from collections.abc import Callable
from typing import Any

from services.executor.modes.python.keys import twins
from services.executor.modes.python.nesting import WORKERS_SPARE, too_deep
from services.executor.modes.python.tracebacks import sentence

_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class NotJsonError(Exception):
    """A value has no JSON text; the message is the reason."""


def json_text(value: Any, *, encode: Callable[[Any], str] = _to_json) -> bytes:
    """The value as JSON, UTF-8, written by `encode`, which may know more kinds of values.

    Raises NotJsonError for NaN, cycles, sets, deep nesting, keys that JSON holds for one, and lone surrogates.
    """
    try:
        text = encode(value).encode("utf-8")
        name = twins(value)
    except MemoryError:
        raise
    except UnicodeEncodeError:
        reason = "a string holds half of a surrogate pair"
    except Exception as error:  # noqa: BLE001 - the function's own methods may run here
        reason = sentence(error).partition(": ")[2] or type(error).__name__
    else:
        if name is None and not too_deep(text, spare=WORKERS_SPARE):
            return text
        reason = "it is nested too deeply" if name is None else f"a dict has two keys that are {name[:100]!r} in JSON"
    raise NotJsonError(reason)
