"""Which addresses a function may name as its webhook."""

import re
from urllib.parse import urlsplit

from shared.domain.problem import Problem

_HOST = re.compile(r"[\w.\-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%\w+)?")  # a name, or an address of either kind


def check_url(url: str, *, field: str) -> None:
    """Refuse what is not an address to send to. Raises Problem(invalid)."""
    fault = _fault(url)
    if fault:
        message = f"{field} {fault}"
        raise Problem("invalid", message, {field: message})


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
