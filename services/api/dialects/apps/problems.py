"""What went wrong, as this dialect says it: a status and `{"error": {"code", "message", "remediation"}}`."""

from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from services.api import bodies
from shared import telemetry
from shared.callers.refusals import FAULTS, NO_TOKEN, NOT_ALLOWED, Fault, body, headers
from shared.domain.problem import Problem

_CRASHED = Fault(500, "INTERNAL_ERROR", "Nothing was wrong with the request; the operator's log says more.")
_NOT_FOUND, _METHOD = 404, 405
_log = telemetry.logger("apps")


def rendered(problem: Problem) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a Problem."""
    fault = FAULTS[problem.code]
    return fault.status, headers(problem), body(fault, problem.message, details=problem.fields)


def crashed(error: Exception, *, path: str) -> tuple[int, dict[str, str], bytes]:
    """Our own fault: told to the log, not to the caller."""
    _log.error("request failed", path=path, exc_info=error)
    return _CRASHED.status, {}, body(_CRASHED, "Internal server error")


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A Problem from the core."""
    status, lines, answer = rendered(problem)
    if problem.code == "unauthenticated" and "authorization" not in request.headers:
        answer = body(FAULTS[problem.code], problem.message, code=NO_TOKEN)
    return _response(status, lines, answer)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: unknown paths, methods, wrong types."""
    lines = {name.lower(): value for name, value in (error.headers or {}).items()}
    if isinstance(error, ValidationException):
        return on_problem(request, _wrong(error))
    if error.status_code == _NOT_FOUND:
        return _response(_NOT_FOUND, lines, body(FAULTS["not_found"], "Not found"))
    if error.status_code == _METHOD:
        return _response(_METHOD, lines, body(NOT_ALLOWED, "Method not allowed"))
    if error.status_code == FAULTS["too_large"].status:
        return on_problem(request, Problem("too_large", "The body is too large"))
    if error.status_code >= _CRASHED.status:
        return on_crash(request, error)
    return _response(error.status_code, lines, body(FAULTS["invalid"], error.detail))


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else."""
    return _response(*crashed(error, path=request.url.path))


def _wrong(error: ValidationException) -> Problem:
    faults: list[dict[str, str]] = error.extra if isinstance(error.extra, list) else []
    return (
        bodies.invalid(faults[0].get("key", ""), faults[0]["message"]) if faults else Problem("invalid", error.detail)
    )


def _response(status: int, lines: dict[str, str], answer: bytes) -> Response[bytes]:
    return Response(answer, status_code=status, headers=lines, media_type="application/json")
