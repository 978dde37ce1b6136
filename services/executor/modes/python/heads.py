"""What the head of an answer or of a request may be: checked where the function makes it, and by the executor again."""

import re
from collections.abc import Sequence

from shared.domain import channel as channels
from shared.domain.problem import Problem
from shared.domain.request import Header

MOST_LINES = 100
MOST_BYTES = 16 << 10  # names and values together; a reply frame has room for them beside its body
MOST_NAME = 200  # characters of a function's name
MOST_KEY = 255  # of a claim's key, and of its scope
MOST_TTL_S = 30 * 86_400.0

_STATUSES = range(200, 600)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
# Latin-1 without control characters: no line can end in one.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHOD = re.compile(r"[A-Z]{1,16}")
# The transport writes these itself: a wrong one would take the next answer for a part of this one.
_TRANSPORTS = frozenset(
    "connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade".split()  # noqa: SIM905 - a list of words
)


def is_ours(name: str) -> bool:
    """Whether only the platform writes this header."""
    return name.lower() in _TRANSPORTS


def check_status(status: int) -> None:
    """Raises ValueError for what is not the status of a final answer."""
    if status not in _STATUSES:
        raise ValueError(f"the status of a response is a number from 200 to 599, not {str(status)[:20]}")


def check_headers(headers: Sequence[Header]) -> None:
    """Raises ValueError for lines that cannot be sent as they are, and for too many."""
    if len(headers) > MOST_LINES or sum(len(name) + len(value) for name, value in headers) > MOST_BYTES:
        raise ValueError(f"more than {MOST_LINES} header lines or {MOST_BYTES} bytes of them")
    for name, value in headers:
        if not _NAME.fullmatch(name) or is_ours(name):
            raise ValueError(f"a header cannot have the name {name[:100]!a}")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of the header {name} has characters that a header cannot have")


def check_invoke(name: str, method: str) -> None:
    """Raises ValueError for what is no function's name, or no method."""
    if not 0 < len(name) <= MOST_NAME:
        raise ValueError(f"the name of a function has 1 to {MOST_NAME} characters")
    if not _METHOD.fullmatch(method):
        raise ValueError("a method is a word of up to 16 capital letters")


def check_claim(key: str, scope: str, *, ttl_s: float) -> None:
    """Raises ValueError for a claim that is not kept."""
    if not 0 < len(key) <= MOST_KEY or len(scope) > MOST_KEY:
        raise ValueError(f"a claim has a key of 1 to {MOST_KEY} characters, and a scope of as many")
    if not 0 < ttl_s <= MOST_TTL_S:  # false of NaN, too
        raise ValueError(f"a claim is kept for more than 0 and up to {MOST_TTL_S:g} seconds")


def check_publish(channel: str, event: str, payload: bytes) -> None:
    """Raises ValueError for what no channel takes."""
    try:
        channels.check_name(channel)
        channels.check_event(event)
    except Problem as problem:
        raise ValueError(problem.message) from None
    if len(payload) > channels.MOST_PUBLISHED:
        raise ValueError(f"the payload has {len(payload)} bytes, over the limit of {channels.MOST_PUBLISHED} bytes")
