"""The choices of valves that are not written down but made by a method of the class."""

from typing import Any

from services.executor.modes.python.coroutines import finished
from services.executor.modes.python.guards import guarded_getattr
from services.executor.modes.python.json_text import NotJsonError, json_text
from services.executor.modes.python.plugins.hooks import takes
from services.executor.modes.python.tracebacks import sentence

_USER = "__user__"


def with_options(schema: dict[str, Any], kind: type, user: dict[str, Any] | None) -> dict[str, Any]:
    """The schema, with the choices in place of the names of the methods that make them.

    Where a method fails there are none, and `error` beside them says why: the other valves can be set all the same.
    """
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    return schema | {"properties": {name: _resolved(value, kind, user) for name, value in properties.items()}}


def _resolved(described: Any, kind: type, user: dict[str, Any] | None) -> Any:
    asked = described.get("input") if isinstance(described, dict) else None
    if not isinstance(asked, dict) or asked.get("type") != "select" or not isinstance(asked.get("options"), str):
        return described
    try:
        options, error = _made(kind, asked["options"], user), {}
    except MemoryError:
        raise
    except Exception as failure:  # noqa: BLE001 - the function's own method runs here
        options, error = [], {"error": f"The options cannot be told: {sentence(failure)}"}
    return described | {"input": asked | {"options": options} | error}


def _made(kind: type, name: str, user: dict[str, Any] | None) -> list[Any]:
    method = guarded_getattr(kind, name, None)  # the name is the code's own, and no literal that the compiler has seen
    if not callable(method):
        raise AttributeError(f"{kind.__name__} has no method {name[:100]!r}")  # noqa: TRY004 - it is not there
    made = finished(method(**({_USER: user} if takes(method, _USER) else {})))
    if not isinstance(made, list):
        raise TypeError(f"{name[:100]}() returned {type(made).__name__}, and not a list")
    try:
        json_text(made)
    except NotJsonError as error:
        raise TypeError(f"what {name[:100]}() returned is not JSON serializable: {error}") from None
    return made
