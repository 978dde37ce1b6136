"""The class of a plugin: found in its module, made for one call, with the valves that are set."""

import json
from typing import Any, NamedTuple

from services.executor.modes.python.models import api as models
from shared.domain.plugin import PluginKind

NO_CLASS = "No Function class found in the module"

_KINDS: dict[str, PluginKind] = {"Pipe": "pipe", "Filter": "filter", "Action": "action"}
_NONE = object()


class PluginError(Exception):
    """The plugin is not written as one has to be, or is asked for what it does not have; told as it is."""


class Found(NamedTuple):
    """A class by the name that makes it a plugin's."""

    kind: PluginKind
    title: str
    made_of: type


def find(names: dict[str, Any]) -> Found | None:
    """The plugin's class among the names of a module, None where there is none. The first of the three counts."""
    for title, kind in _KINDS.items():
        value = names.get(title)
        if isinstance(value, type):
            return Found(kind, title, value)
    return None


def valves_class(instance: Any, title: str) -> type | None:
    """`Valves` or `UserValves` of an instance, None where it has none. Raises PluginError for what is no model."""
    kind = getattr(instance, title, None)
    if kind is None:
        return None
    if not isinstance(kind, type) or not models.is_model(kind):
        raise PluginError(f"{title} must be a class that is derived from pydantic's BaseModel")
    return kind


def with_valves(found: Found, stored: bytes) -> Any:
    """An instance whose `valves` are what is stored, as JSON text, and else their defaults.

    Raises PluginError, and the ValidationError of values that do not fit.
    """
    instance = found.made_of()
    kind = valves_class(instance, "Valves")
    if kind is not None and getattr(instance, "valves", _NONE) is not _NONE:
        instance.valves = models.made(kind, values_of(stored))
    return instance


def values_of(text: bytes) -> dict[str, Any]:
    """Values as they are stored. What is null is not set."""
    return {name: value for name, value in json.loads(text or b"{}").items() if value is not None}
