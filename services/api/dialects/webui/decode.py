"""From bytes to bodies: first whether they are JSON at all, then all that is wrong with their fields."""

import re
from typing import Any

import msgspec

from services.api import bodies
from services.api.dialects.webui.faults import faults
from services.api.dialects.webui.problems import unprocessable
from services.api.dialects.webui.wire.problems import Fault
from shared.domain.problem import Problem

_BYTE = re.compile(r"byte (\d+)")


def well_formed(body: bytes) -> Any:
    """What the JSON says. Raises Told, 422."""
    try:
        return bodies.body_of(Any, body)
    except Problem as problem:
        found = _BYTE.search(problem.message)
        way = ("body", int(found[1]) if found else len(body))
        error = Fault(type="json_invalid", loc=way, msg="JSON decode error", ctx={"error": problem.message})
        raise unprocessable([error]) from None


def form(kind: Any, body: bytes) -> Any:
    """A body of this type. Raises Told, 422, with all that is wrong with it."""
    value = well_formed(body)
    if found := faults(kind, value, ("body",)):
        raise unprocessable(found)
    return msgspec.convert(value, kind)
