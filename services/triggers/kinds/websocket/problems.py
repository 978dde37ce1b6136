"""What is wrong with a request about a channel: a status and `{"error": {"code", "message", "remediation"}}`.

The same words as in the API of applications, which this door is a part of to its callers.
"""

from typing import NamedTuple

import msgspec

from shared import answers
from shared.callers.edge import Fault as Stranger
from shared.domain.problem import Code, Problem
from shared.exchange import Line


class _Fault(NamedTuple):
    status: int
    code: str
    remediation: str


_FAULTS: dict[Code, _Fault] = {
    "invalid": _Fault(400, "VALIDATION_INVALID_SCHEMA", "Correct the request as the message says."),
    "unauthenticated": _Fault(401, "AUTH_INVALID_TOKEN", "Send a valid token in the Authorization header."),
    "forbidden": _Fault(403, "AUTH_INSUFFICIENT_PERMISSIONS", "Ask with a token whose role and scopes allow it."),
    "not_found": _Fault(404, "RESOURCE_NOT_FOUND", "Check the names in the path."),
    "conflict": _Fault(409, "RESOURCE_CONFLICT", "Read it anew, and try again."),
    "too_large": _Fault(413, "PAYLOAD_TOO_LARGE", "Send less, or ask the operator for more."),
    "rate_limited": _Fault(429, "QUOTA_RATE_LIMIT", "Wait as long as the Retry-After header says."),
    "unavailable": _Fault(503, "SERVICE_UNAVAILABLE", "Try again in a moment; it is safe to."),
}
_STRANGERS: dict[Stranger, str] = {
    "missing": "AUTH_REQUIRED",
    "jwt": "AUTH_INVALID_END_USER_JWT",
    "expired": "AUTH_END_USER_JWT_EXPIRED",
}
_HEADERS: dict[Code, list[Line]] = {
    "unauthenticated": [(b"www-authenticate", b"Bearer")],
    "unavailable": [(b"retry-after", b"2")],
    # The rest of the body is not read: the connection cannot carry another request.
    "too_large": [(b"connection", b"close")],
}
_METHOD = _Fault(405, "METHOD_NOT_ALLOWED", "Use one of the methods in the Allow header.")
_JSON: Line = (b"content-type", b"application/json")
_MISSING = "missing required field"


class Refused(Exception):  # noqa: N818 - an answer on its way out
    """What is answered in place of what was asked for."""

    def __init__(self, answer: answers.Answer) -> None:
        super().__init__()
        self.answer = answer


def rendered(problem: Problem, stranger: Stranger = "") -> answers.Answer:
    """The answer that a problem is told by; `stranger` says what is wrong with a credential."""
    again_s = problem.retry_after_s
    lines = [(b"retry-after", b"%d" % again_s)] if again_s else _HEADERS.get(problem.code, [])
    fault = _FAULTS[problem.code]
    code = _STRANGERS.get(stranger, "") or ("VALIDATION_MISSING_FIELD" if _MISSING in problem.message else "")
    return _answer(fault._replace(code=code or fault.code), problem.message, lines, problem.fields)


def not_allowed(methods: tuple[str, ...]) -> Refused:
    """Another method."""
    allow = (b"allow", ", ".join(methods).encode())
    return Refused(_answer(_METHOD, "Method not allowed", [allow], {}))


def _answer(fault: _Fault, message: str, lines: list[Line], details: dict[str, str]) -> answers.Answer:
    error: dict[str, object] = {"code": fault.code, "message": message, "remediation": fault.remediation}
    if details:
        error["details"] = details
    return answers.whole(fault.status, [_JSON, *lines], msgspec.json.encode({"error": error}))
