"""Which addresses a function may name as its webhook."""

import re
from urllib.parse import urlsplit

from shared.domain.problem import Problem

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%\w+)?")  # a name, or an address of either kind


def check_url(url: str, *, field: str) -> None:
    """Refuse what is not an address to send to. Raises Problem(invalid)."""
    fault = _fault(url)
    if fault:
        message = f"{field} {fault}"
        raise Problem("invalid", message, {field: message})


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a checked address, the same for all its spellings; empty for the empty one."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _fault(url: str) -> str:
    if not url.lower().startswith(("http://", "https://")):
        return "must begin with http:// or https://"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "must not contain spaces or control characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if not host:
        return "must have a host"
    if not _HOST.fullmatch(host):
        return "has a host that is none"
    if "@" in parts.netloc:
        return "must not contain a user or a password; auth_config is the place for them"
    return ""
