"""A plugin: a function that is written as a class with hooks and valves, and what is known of it from its text."""

import re
from typing import Any, Literal, get_args

import msgspec

PluginKind = Literal["filter", "pipe", "action", "function"]
"""What its class is called; `function` is a plain module with a `main`."""
PLUGIN_KINDS: tuple[PluginKind, ...] = get_args(PluginKind)

PLUGINS_APP = "plugins"
"""The slug of the app that a tenant's plugins are in."""

MAX_KEY = 255
_KEY_LINE = re.compile(r"^\s*([a-z_]+):\s*(.*)\s*$", re.IGNORECASE)
_QUOTES = '"""'
_IMPORTS = re.compile(r"from (utils|apps|main|config)")


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin has beside every function.

    `key` names it in its tenant. `meta` has `description`, `manifest` (its frontmatter), `toggle`, and what its author
    put there. `valves` are its settings: JSON text of an object, or that sealed for `valves_place`; empty where none
    are set. `has_valves` and `has_user_valves` say which classes its code has, `secret_valves` whether one of their
    fields is marked as a secret. One that `is_global` is for everybody, but runs only while its function is active.
    """

    key: str
    kind: PluginKind
    user_id: int
    meta: dict[str, Any] = {}
    is_global: bool = False
    valves: str = ""
    has_valves: bool = False
    has_user_valves: bool = False
    secret_valves: bool = False


def is_key(text: str) -> bool:
    """Whether it can name a plugin: what Python takes for a name, of at most `MAX_KEY` characters."""
    return text.isidentifier() and len(text) <= MAX_KEY


def frontmatter(content: str) -> dict[str, str]:
    """The lines `name: text` between the three quotes that a source may begin with. Flat texts, no YAML."""
    lines = content.split("\n")
    if lines[0].strip() != _QUOTES:
        return {}
    found = {}
    for line in lines[1:]:
        if _QUOTES in line:
            break
        if match := _KEY_LINE.match(line):
            found[match[1].strip()] = match[2].strip()
    return found


def with_imports(content: str) -> str:
    """The source with the short names of the packages that such plugins import written out, as they are kept."""
    return _IMPORTS.sub(r"from open_webui.\1", content)


def valves_place(tenant: str, function_id: int) -> str:
    """Where a plugin's valves are sealed."""
    return f"valves/{tenant}/{function_id}"


def user_valves_place(tenant: str, function_id: int, user_id: int) -> str:
    """Where the valves are sealed that a user has set for himself."""
    return f"user_valves/{tenant}/{function_id}/{user_id}"


def examine_place(id: str, way: Literal["asked", "answered"]) -> str:
    """Where valves are sealed that travel with a question to an executor, or with its answer."""
    return f"examine/{id}/{way}"
