"""What an http trigger lets in: methods and a path. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.domain.trigger import HttpAuth

_ANY = frozenset({"ANY", "*", ""})


def methods_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The methods that it names, and HEAD with GET; none for all of them."""
    named = config.get("method") or ""
    words = named.split(",") if isinstance(named, str) else named
    methods = dict.fromkeys(str(word).strip().upper() for word in words)
    if not _ANY.isdisjoint(methods):
        return ()
    if "GET" in methods:
        methods["HEAD"] = None
    return tuple(methods)


def is_at(config: Mapping[str, Any], rest: str | None) -> bool:
    """Whether it answers where this follows the function's name; a slash at the end says nothing."""
    if rest is None:
        return False
    path = str(config.get("path") or "").strip("/")
    return rest in (f"/{path}", f"/{path}/") if path else rest in ("", "/")


def auth_of(config: Mapping[str, Any]) -> HttpAuth:
    """Whom it lets in; whoever is not known for sure is kept out where it does not say."""
    auth = config.get("auth")
    return auth if auth in ("optional", "none") else "required"
