"""How a command ends: its exit code by the class of what went wrong, and one line that says it."""

import json
import sys
from typing import Any

DONE = 0
UNDONE = 1
MISUSED = 2
FUNCTION_FAILED = 3
NOT_FOUND = 4
FORBIDDEN = 5
REFUSED = 6
UNAVAILABLE = 7
NOT_YET = 8
OUR_FAULT = 70
INTERRUPTED = 130
NOBODY_READS = 141
TERMINATED = 143

MEANING = {
    DONE: "it was done; a call has succeeded",
    UNDONE: "it could not be done on this machine: a file, a context, a folder",
    MISUSED: "the command line was not understood",
    FUNCTION_FAILED: "the function failed, was cancelled or expired",
    NOT_FOUND: "it is not there, or is nobody's business",
    FORBIDDEN: "no token, a bad one, or one that may not do this",
    REFUSED: "the server does not take it: it is wrong, too large, or in conflict with what is",
    UNAVAILABLE: "nobody answers, too many ask, or something is away for now: try again later",
    NOT_YET: "it has not ended in the time that was given; it goes on",
    OUR_FAULT: "a fault of `shoal` itself; with SHOAL_TRACEBACK=1 it says where",
    INTERRUPTED: "Ctrl-C",
    NOBODY_READS: "who read the output has gone",
    TERMINATED: "somebody has ended it",
}
"""Every exit code, for the documentation."""

_BY_STATUS = {401: FORBIDDEN, 403: FORBIDDEN, 404: NOT_FOUND, 410: NOT_FOUND, 408: UNAVAILABLE, 429: UNAVAILABLE}
_SERVER = 500
_MOST_SHOWN = 2000


class Fault(Exception):  # noqa: N818 - its sentences are the user's, not ours
    """It cannot be done: the exit code, what is wrong, and what to do about it."""

    def __init__(self, code: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint

    def __str__(self) -> str:
        """One line."""
        message = " ".join(super().__str__().split())
        return f"{message} ({self.hint})" if self.hint else message


def refused(status: int, body: bytes, *, retry_after: str = "") -> Fault:
    """What a server's answer means, in the words of whichever dialect it is."""
    message, hint = _said(body)
    code = _BY_STATUS.get(status) or (UNAVAILABLE if status >= _SERVER else REFUSED)
    if code == UNAVAILABLE:
        hint = f"try again in {retry_after} s" if retry_after.isdigit() else "try again later"
        hint = "" if "try again" in message.lower() else hint
    if code == NOT_FOUND:
        hint = "`shoal ps --all` lists the functions there are" if "unction" in message else ""
    return Fault(code, message or f"the server answers {status}", _HINTS.get(status, hint))


def tell(error: Exception) -> None:
    """One line on stderr."""
    print(f"shoal: {plain(str(error))}", file=sys.stderr)


def plain(text: str) -> str:
    """Without what would drive the terminal: others have written it."""
    return "".join(each if each.isprintable() or each in "\n\t" else f"\\x{ord(each):02x}" for each in text)


_HINTS = {
    401: "`shoal context add` or SHOAL_TOKEN sets another token",
    403: "ask an administrator for a role or a token that may",
}


def _said(body: bytes) -> tuple[str, str]:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    error = found.get("error", found.get("detail"))
    if isinstance(error, dict):
        return str(error.get("message", ""))[:_MOST_SHOWN], str(error.get("remediation", "")).rstrip(".")
    return ("" if error is None else str(error)[:_MOST_SHOWN]), ""
