"""How a function says who it is to the address it calls: the shapes of `auth_config`, and what in them is secret."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from shared.domain.headers import HEADER_NAME, check_header
from shared.domain.problem import Problem

MASK = "********"
"""What a secret is shown as; sent back, it means the one that is stored."""

DEFAULT_KEY_HEADER = "X-API-Key"
MAX_SECRET = 4000

# Type: the secret fields, then the others, which have a text each. `custom` is the one with a map of secrets.
_FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "bearer": (frozenset({"token"}), frozenset()),
    "api_key": (frozenset({"key"}), frozenset({"header"})),
    "basic": (frozenset({"password"}), frozenset({"username"})),
    "custom": (frozenset(), frozenset()),
}
_OPTIONAL = frozenset({"header"})
_LINE = re.compile(r"[\x20-\x7e]+")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")

AuthConfig = Mapping[str, Any]


def check_auth(config: AuthConfig) -> None:
    """Refuse what is no way to say who one is; empty says nothing. Raises Problem(invalid)."""
    if not config:
        return
    kind = config.get("type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise _wrong("type", f"auth_config.type must be one of: {', '.join(_FIELDS)}")
    secret, plain = _FIELDS[kind]
    known = {"type", "headers"} if kind == "custom" else {"type"} | secret | plain
    for field in sorted(config.keys() - known):
        raise _wrong(field, f"auth_config.{field} is not a part of the type '{kind}', which has: {_listed(known)}")
    for field in sorted((secret | plain) - (_OPTIONAL - config.keys())):
        _check_field(kind, field, config.get(field))
    if kind == "custom":
        _check_headers(config.get("headers"))


def secrets_of(config: AuthConfig) -> dict[str, str]:
    """The secret texts of a checked config, by where they are in it: `token`, `headers/X-Token`."""
    if not config:
        return {}
    if config["type"] == "custom":
        return {f"headers/{name}": value for name, value in config["headers"].items()}
    return {field: config[field] for field in sorted(_FIELDS[config["type"]][0])}


def with_secrets(config: AuthConfig, change: Callable[[str, str], str]) -> dict[str, Any]:
    """The config with each secret text replaced by what `change` makes of it and of where it is."""
    changed = {where: change(where, text) for where, text in secrets_of(config).items()}
    if config.get("type") == "custom":
        return {**config, "headers": {name: changed[f"headers/{name}"] for name in config["headers"]}}
    return {**config, **changed}


def masked(config: AuthConfig) -> dict[str, Any]:
    """What may be shown of it."""
    return with_secrets(config, lambda _where, _text: MASK)


def place_of(tenant: str, function_id: int, where: str) -> str:
    """The place that a function's secret is bound to when it is sealed."""
    return f"functions/{tenant}/{function_id}/auth_config/{where}"


def _check_field(kind: str, field: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise _wrong(field, f"auth_config.{field} is required for the type '{kind}', and must be a text")
    if len(value) > MAX_SECRET:
        raise _wrong(field, f"auth_config.{field} must not be longer than {MAX_SECRET} characters")
    if field == "header":
        if not HEADER_NAME.fullmatch(value):
            raise _wrong(field, "auth_config.header is not the name of a header")
        check_header(value, "", field="auth_config.header")
    elif kind == "basic":
        if not _TEXT.fullmatch(value) or (field == "username" and ":" in value):
            raise _wrong(field, f"auth_config.{field} must be one line of text{', without :' * (field == 'username')}")
    elif not _LINE.fullmatch(value):
        raise _wrong(field, f"auth_config.{field} must be one line of ASCII text")


def _check_headers(headers: object) -> None:
    if not isinstance(headers, dict) or not headers:
        raise _wrong("headers", "auth_config.headers is required for the type 'custom': names and their values")
    for name, value in headers.items():
        if not isinstance(value, str) or not value:
            raise _wrong("headers", f"auth_config.headers: the value of {name!r} must be a text")
        check_header(name, value, field="auth_config.headers")


def _listed(fields: set[str]) -> str:
    return ", ".join(sorted(fields))


def _wrong(field: str, message: str) -> Problem:
    return Problem("invalid", message, {f"auth_config.{field}": message})
