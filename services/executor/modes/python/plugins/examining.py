"""A plugin's code looked into: what it is, the schema of its valves, and whether values fit them."""

from collections.abc import Callable
from typing import Any

from services.executor.modes.python.frames import ExamineFrame
from services.executor.modes.python.json_text import json_text
from services.executor.modes.python.models import api as models
from services.executor.modes.python.plugins.classes import NO_CLASS, PluginError, find, values_of, valves_class
from services.executor.modes.python.plugins.giving import user_of
from services.executor.modes.python.plugins.options import with_options

_VALVES, _USER_VALVES = "Valves", "UserValves"
_MOST_TOLD = 4000  # characters of why values do not fit


def examine(names: dict[str, Any], asked: ExamineFrame) -> bytes:
    """What is found in a module that has run, as JSON text. Raises PluginError, and whatever the code raises."""
    found = find(names)
    if found is None:
        if not callable(names.get("main")):
            raise PluginError(NO_CLASS)
        return json_text(_FOUND[asked.what](None, "function", asked))
    return json_text(_FOUND[asked.what](found.made_of(), found.kind, asked))


def _code(instance: Any, kind: str, asked: ExamineFrame) -> dict[str, Any]:
    valves, user_valves = _class(instance, _VALVES), _class(instance, _USER_VALVES)
    fault = models.misfit(valves, values_of(asked.values)) if valves is not None and asked.values else ""
    return {
        "kind": kind,
        "toggle": kind == "filter" and bool(getattr(instance, "toggle", False)),
        "has_valves": valves is not None,
        "has_user_valves": user_valves is not None,
        "secret": any(models.has_secrets(one) for one in (valves, user_valves) if one is not None),
        "fault": fault[:_MOST_TOLD],
    }


def _spec(instance: Any, _: str, asked: ExamineFrame) -> dict[str, Any] | None:
    kind = _class(instance, _asked(asked))
    if kind is None:
        return None
    user = None if asked.person is None else user_of(asked.person)
    return with_options(models.schema(kind), kind, user)


def _kept(instance: Any, _: str, asked: ExamineFrame) -> dict[str, Any]:
    """`values`, or why there are none: `misfit` in a sentence, or that they are `missing`."""
    kind = _class(instance, _asked(asked))
    if kind is None:
        return {"missing": True}
    try:
        made = models.made(kind, values_of(asked.values))
    except ValueError as error:
        return {"misfit": str(error)[:_MOST_TOLD]}
    return {"values": models.kept(made)}


_FOUND: dict[str, Callable[[Any, str, ExamineFrame], Any]] = {"code": _code, "spec": _spec, "values": _kept}


def _class(instance: Any, title: str) -> type | None:
    return None if instance is None else valves_class(instance, title)


def _asked(asked: ExamineFrame) -> str:
    return _USER_VALVES if asked.of == "user_valves" else _VALVES
