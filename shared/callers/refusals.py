"""What is refused at the doors of an app: a status and `{"error": {"code", "message", "remediation"}}`.

The API of applications and the doors of triggers that belong to it say it in the same words.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from shared import answers
from shared.answers import Answer
from shared.callers.edge import Fault as Stranger
from shared.domain.idempotency import KeyReusedError
from shared.domain.problem import Code, Problem
from shared.exchange import Line


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """`details` maps the name of a wrong input to its sentence."""

    code: str
    message: str
    remediation: str
    details: dict[str, str] | UnsetType = UNSET


class Refused(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: Error


class Fault(NamedTuple):
    """How a kind of problem is told."""

    status: int
    code: str
    remediation: str


FAULTS: dict[Code, Fault] = {
    "invalid": Fault(400, "VALIDATION_INVALID_SCHEMA", "Correct the request as the message says."),
    "unauthenticated": Fault(401, "AUTH_INVALID_TOKEN", "Send a valid token in the Authorization header."),
    "forbidden": Fault(403, "AUTH_INSUFFICIENT_PERMISSIONS", "Ask with a token whose role and scopes allow it."),
    "not_found": Fault(404, "RESOURCE_NOT_FOUND", "Check the names in the path."),
    "conflict": Fault(409, "RESOURCE_CONFLICT", "Read it anew, and try again."),
    "too_large": Fault(413, "PAYLOAD_TOO_LARGE", "Send less, or ask the operator for more."),
    "rate_limited": Fault(429, "QUOTA_RATE_LIMIT", "Wait as long as the Retry-After header says."),
    "unavailable": Fault(
        503, "SERVICE_UNAVAILABLE", "Try again in a moment; what may not happen twice, with an Idempotency-Key."
    ),
}
NOT_ALLOWED = Fault(405, "METHOD_NOT_ALLOWED", "Use one of the methods in the Allow header.")
NO_TOKEN = "AUTH_REQUIRED"  # noqa: S105 - the code of the error
_STRANGERS: dict[Stranger, str] = {
    "missing": NO_TOKEN,
    "jwt": "AUTH_INVALID_END_USER_JWT",
    "expired": "AUTH_END_USER_JWT_EXPIRED",
}
_HEADERS: dict[Code, dict[str, str]] = {
    "unauthenticated": {"www-authenticate": "Bearer"},
    "unavailable": {"retry-after": "2"},
    # The rest of the body is not read: the connection cannot carry another request.
    "too_large": {"connection": "close"},
}
_KEY_REUSED = Fault(409, "IDEMPOTENCY_KEY_REUSED", "Send a new key with a new request, or the same request again.")
_MISSING_FIELD = "VALIDATION_MISSING_FIELD"
_MISSING = ("This field is required", "missing required field")
_JSON: Line = (b"content-type", b"application/json")


def headers(problem: Problem) -> dict[str, str]:
    """What stands in the head of the answer to a problem, beside what every answer has."""
    again_s = problem.retry_after_s
    return {"retry-after": str(again_s)} if again_s else _HEADERS.get(problem.code, {})


def body(fault: Fault, message: str, *, code: str = "", details: dict[str, str] | None = None) -> bytes:
    """The body of an error; `code` is a nearer one than the fault's own."""
    if not code and any(words in message for words in _MISSING):
        code = _MISSING_FIELD
    error = Error(code=code or fault.code, message=message, remediation=fault.remediation, details=details or UNSET)
    return msgspec.json.encode(Refused(error))


def answer_to(problem: Problem, *, stranger: Stranger = "") -> Answer:
    """The answer to a problem; `stranger` says what is wrong with a credential."""
    fault = _KEY_REUSED if isinstance(problem, KeyReusedError) else FAULTS[problem.code]
    lines = [(name.encode(), value.encode()) for name, value in headers(problem).items()]
    told = body(fault, problem.message, code=_STRANGERS.get(stranger, ""), details=problem.fields)
    return answers.whole(fault.status, [_JSON, *lines], told)


def not_allowed(methods: Sequence[str]) -> Answer:
    """The answer to another method."""
    allow = (b"allow", ", ".join(methods).encode())
    return answers.whole(NOT_ALLOWED.status, [_JSON, allow], body(NOT_ALLOWED, "Method not allowed"))
