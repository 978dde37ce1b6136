"""Which headers a function may send along."""

import re

from shared.domain.problem import Problem

HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4000}")
# What says where a message ends, or is meant for the next hop: the sender's own business.
_FRAMING = frozenset(
    (
        "connection",
        "content-length",
        "content-encoding",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


def check_header(name: str, value: object, *, field: str) -> None:
    """Refuse what could not be sent as it stands. Never repeats the value. Raises Problem(invalid)."""
    if not HEADER_NAME.fullmatch(name) or not isinstance(value, str) or not _VALUE.fullmatch(value):
        message = f"{field}: {name[:100]!r} is not a header, or its value is not one line of text"
        raise Problem("invalid", message, {field: message})
    if name.lower() in _FRAMING or name.lower().startswith("proxy-"):
        message = f"{field}: {name} is set by Shoal itself"
        raise Problem("invalid", message, {field: message})
