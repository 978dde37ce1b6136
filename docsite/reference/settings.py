"""Every setting, as the structs have it that the services read: its kind, its default and its bounds."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from docsite.reference.tables import code, page, table
from shared import config

_ABOUT = """What each of them means is told in [settings](../settings.md). This page is made of the code: kinds,
defaults and bounds are those that a service reads at its start. A variable that is empty here as a default is not set
unless you do."""
_BOUNDS = (
    ("gt", "more than "),
    ("ge", "at least "),
    ("lt", "less than "),
    ("le", "at most "),
    ("max_length", "characters: at most "),
)


def made() -> str:
    """The page."""
    parts = []
    for service in ("", *config.SERVICES):
        section = _section(service)
        parts.append(f"## {service or 'Every service'}\n")
        parts.append(table(("variable", "kind", "default", "bounds"), _rows(service, section)))
    return page("Settings, by kind and bounds", _ABOUT, *parts)


def _section(service: str) -> type[msgspec.Struct]:
    if not service:
        return config.Platform
    module = importlib.import_module(f"services.{service}.config")
    section: type[msgspec.Struct] = getattr(module, service.capitalize())
    return section


def _rows(service: str, section: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, str]]:
    found = msgspec.inspect.type_info(section)
    assert isinstance(found, msgspec.inspect.StructType)
    kinds = {field.name: field.type for field in found.fields}
    for field in msgspec.structs.fields(section):
        kind, bounds = _kind(kinds[field.name])
        default = "required" if field.required else code(_told(field.default))
        yield code(config.variable(service, field.name)), kind, default, bounds


def _kind(found: Any) -> tuple[str, str]:
    if isinstance(found, msgspec.inspect.Metadata):
        return _kind(found.type)
    if isinstance(found, msgspec.inspect.LiteralType):
        return "word", ", ".join(code(value) for value in found.values)
    kind = {"IntType": "whole number", "FloatType": "number", "BoolType": "`true` or `false`"}.get(
        type(found).__name__, "text"
    )
    bounds = [f"{word}{limit:,}" for name, word in _BOUNDS if (limit := getattr(found, name, None)) is not None]
    return kind, ", ".join(bounds)


def _told(default: object) -> str:
    if isinstance(default, str):
        return default
    if isinstance(default, int | float) and not isinstance(default, bool):
        return f"{default:,}".removesuffix(".0")
    return json.dumps(default) if isinstance(default, bool) else ""
