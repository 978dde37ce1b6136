"""What went wrong, as this dialect says it: a status and `{"error": {"code", "message", "remediation"}}`."""

from typing import Any, NamedTuple

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import UNSET, UnsetType

from services.api import bodies
from shared import telemetry
from shared.domain.problem import Code, Problem


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
    "unavailable": Fault(503, "SERVICE_UNAVAILABLE", "Try again in a moment; it is safe to."),
}
NO_TOKEN = "AUTH_REQUIRED"  # noqa: S105 - the code of the error
MISSING_FIELD = "VALIDATION_MISSING_FIELD"
_METHOD = Fault(405, "METHOD_NOT_ALLOWED", "Use one of the methods in the Allow header.")
_CRASHED = Fault(500, "INTERNAL_ERROR", "Nothing was wrong with the request; the operator's log says more.")
_HEADERS: dict[Code, dict[str, str]] = {
    "unauthenticated": {"www-authenticate": "Bearer"},
    "unavailable": {"retry-after": "2"},
    # The rest of the body is not read: the connection cannot carry another request.
    "too_large": {"connection": "close"},
}
_NOT_FOUND, _NOT_ALLOWED = 404, 405
_MISSING = "This field is required"
_log = telemetry.logger("apps")


def rendered(problem: Problem) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a Problem."""
    fault, again_s = FAULTS[problem.code], problem.retry_after_s
    headers = {"retry-after": str(again_s)} if again_s else _HEADERS.get(problem.code, {})
    return fault.status, headers, body(fault, problem.message, details=problem.fields)


def body(fault: Fault, message: str, *, code: str = "", details: dict[str, str] | None = None) -> bytes:
    """The body of an error; `code` is a nearer one than the fault's own."""
    if not code and _MISSING in message:
        code = MISSING_FIELD
    error = Error(code=code or fault.code, message=message, remediation=fault.remediation, details=details or UNSET)
    return msgspec.json.encode(Refused(error))


def crashed(error: Exception, *, path: str) -> tuple[int, dict[str, str], bytes]:
    """Our own fault: told to the log, not to the caller."""
    _log.error("request failed", path=path, exc_info=error)
    return _CRASHED.status, {}, body(_CRASHED, "Internal server error")


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A Problem from the core."""
    status, headers, answer = rendered(problem)
    if problem.code == "unauthenticated" and "authorization" not in request.headers:
        answer = body(FAULTS[problem.code], problem.message, code=NO_TOKEN)
    return _response(status, headers, answer)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: unknown paths, methods, wrong types."""
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if isinstance(error, ValidationException):
        return on_problem(request, _wrong(error))
    if error.status_code == _NOT_FOUND:
        return _response(_NOT_FOUND, headers, body(FAULTS["not_found"], "Not found"))
    if error.status_code == _NOT_ALLOWED:
        return _response(_NOT_ALLOWED, headers, body(_METHOD, "Method not allowed"))
    if error.status_code == FAULTS["too_large"].status:
        return on_problem(request, Problem("too_large", "The body is too large"))
    if error.status_code >= _CRASHED.status:
        return on_crash(request, error)
    return _response(error.status_code, headers, body(FAULTS["invalid"], error.detail))


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else."""
    return _response(*crashed(error, path=request.url.path))


def _wrong(error: ValidationException) -> Problem:
    faults: list[dict[str, str]] = error.extra if isinstance(error.extra, list) else []
    return (
        bodies.invalid(faults[0].get("key", ""), faults[0]["message"]) if faults else Problem("invalid", error.detail)
    )


def _response(status: int, headers: dict[str, str], answer: bytes) -> Response[bytes]:
    return Response(answer, status_code=status, headers=headers, media_type="application/json")
