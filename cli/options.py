"""Values of options that are more than a word."""

import json
from typing import Any

from cli.exits import REFUSED, Fault


def json_object(text: str, *, option: str) -> dict[str, Any]:
    """The object that an option like `--params` has as its text. Raises Fault."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Fault(REFUSED, f"{option} is no JSON object: {error}") from None
    if not isinstance(found, dict):
        raise Fault(REFUSED, f"{option} is no JSON object but another value")
    return found
