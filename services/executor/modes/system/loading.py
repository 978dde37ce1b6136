"""The functions of operators' packages, imported: what cannot be is named, and takes nobody else down."""

import inspect
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import NamedTuple

from shared import telemetry
from shared.registry import Refused, Registry, package_of
from shared.system import SystemFunction

_log = telemetry.logger("system")


class Loaded(NamedTuple):
    """What can be called, and what cannot, with the reason."""

    functions: dict[str, SystemFunction]
    broken: list[Refused]


def load(registry: Registry, built_in: Mapping[str, SystemFunction]) -> Loaded:
    """Import every entry point. One line in the log for each that is refused."""
    functions, broken = dict(built_in), list(registry.refused)
    for slug, entry in registry.entries.items():
        found = _imported(entry)
        if isinstance(found, SystemFunction):
            functions[slug] = found
        else:
            broken.append(Refused(slug, package_of(entry), found))
    for refused in broken:
        _log.error("system function refused", function=refused.name, package=refused.package, reason=refused.reason)
    return Loaded(functions, broken)


def _imported(entry: EntryPoint) -> SystemFunction | str:
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the package does at its import is its own
        return f"{entry.value} cannot be imported: {type(error).__name__}: {error}"
    if not isinstance(found, SystemFunction):
        return f"{entry.value} is not made with shared.system.system_function"
    try:
        inspect.signature(found.run).bind(None, None)
    except (TypeError, ValueError) as error:
        return f"{entry.value} does not take (params, context): {error}"
    return found
