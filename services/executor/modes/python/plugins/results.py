"""What a hook returned, as JSON text: values, models, and the parts of what comes in parts."""

import inspect
import json
from collections.abc import Iterable
from typing import Any

from services.executor.modes.python.coroutines import drained, finished
from services.executor.modes.python.json_text import json_text
from services.executor.modes.python.models import api as models


class TooLargeError(Exception):
    """What a generator has made so far is over the limit of results."""


def result_text(value: Any, most_bytes: int) -> bytes:
    """The result of a call. What a coroutine, a generator or both of it have to make is made here.

    Raises NotJsonError, TooLargeError, and whatever the code raises.
    """
    value = finished(value)
    if inspect.isasyncgen(value):
        return _joined(drained(value), most_bytes)
    if inspect.isgenerator(value):
        return _joined(value, most_bytes)
    return _text(value)


def _joined(parts: Iterable[Any], most_bytes: int) -> bytes:
    """The parts: one text where all of them are texts, else a list. Each is taken as it was when it was made."""
    kept: list[str | bytes] = []
    size = 0
    for part in parts:
        one = part if type(part) is str else _text(part)
        size += len(one)  # a character is a byte at least
        if size > most_bytes:
            raise TooLargeError
        kept.append(one)
    texts = [part for part in kept if isinstance(part, str)]
    if len(texts) == len(kept):
        return json_text("".join(texts))
    return b"[" + b",".join(part if isinstance(part, bytes) else json_text(part) for part in kept) + b"]"


def _plain(value: Any) -> Any:
    if models.is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode


def _text(value: Any) -> bytes:
    return json_text(value, encode=_encode)
