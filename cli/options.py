"""Values of options that are more than a word."""

import json
import math
from typing import Any

from cli.exits import REFUSED, Fault


def json_object(text: str, *, option: str) -> dict[str, Any]:
    """The object that an option like `--params` has as its text. Raises Fault."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise Fault(REFUSED, f"{option} is no JSON object: {error}") from None
    if not isinstance(found, dict):
        raise Fault(REFUSED, f"{option} is no JSON object but another value")
    return found


def seconds(value: float, *, option: str) -> float:
    """A time to wait, which may be none at all. Raises Fault for what is no time."""
    if not (math.isfinite(value) and value >= 0):
        raise Fault(REFUSED, f"{option} must be a number of seconds, 0 at least")
    return value


def _no_number(word: str) -> None:
    """JSON has no such numbers, and no server takes them. Raises ValueError."""
    raise ValueError(f"{word} is no number")
