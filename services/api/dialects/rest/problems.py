"""What went wrong, as this dialect says it: a status and `{"error": …}`."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from services.api import bodies, methods
from services.api.dialects.rest.wire.problems import Error
from shared import telemetry
from shared.domain.problem import Code, Problem

STATUS: dict[Code, int] = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
}
_HEADERS: dict[Code, dict[str, str]] = {
    "unauthenticated": {"www-authenticate": "Bearer"},
    "unavailable": {"retry-after": "2"},
    # The rest of the body is not read: the connection cannot carry another request.
    "too_large": {"connection": "close"},
}
_SENTENCES = {404: "Not found", 405: "Method not allowed", 413: "The body is too large"}
_log = telemetry.logger("rest")


def body(sentence: str, fields: Mapping[str, str] | None = None, *, retry_after_s: int = 0) -> Error:
    """The body of every error. A field's sentence may have several lines: each is one entry."""
    details = {field: text.split("\n") for field, text in (fields or {}).items()}
    return Error(
        error=sentence,
        message=sentence,
        detail=sentence,
        details=details or msgspec.UNSET,
        retry_after=retry_after_s or msgspec.UNSET,
    )


def rendered(problem: Problem) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a Problem."""
    again_s = problem.retry_after_s
    answer = msgspec.json.encode(body(problem.message, problem.fields, retry_after_s=again_s))
    headers = {"retry-after": str(again_s)} if again_s else _HEADERS.get(problem.code, {})
    return STATUS[problem.code], headers, answer


def crashed(error: Exception, *, path: str) -> tuple[int, dict[str, str], bytes]:
    """Our own fault: told to the log, not to the caller."""
    _log.error("request failed", path=path, exc_info=error)
    return 500, {}, msgspec.json.encode(body("Internal server error"))


def on_problem(_request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A Problem from the core."""
    return _response(*rendered(problem))


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: unknown paths, methods, wrong types."""
    if error.status_code >= 500:  # noqa: PLR2004 - server errors
        return on_crash(request, error)
    if isinstance(error, ValidationException):
        return on_problem(request, _wrong(error))
    sentence = _SENTENCES.get(error.status_code, error.detail)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if known := headers.get("allow"):
        headers["allow"] = methods.allow(known.split(", "))
    return _response(error.status_code, headers, msgspec.json.encode(body(sentence)))


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else."""
    return _response(*crashed(error, path=request.url.path))


def _wrong(error: ValidationException) -> Problem:
    """The framework names the body `data`, and what is in it without that prefix."""
    faults: list[dict[str, str]] = error.extra if isinstance(error.extra, list) else []
    if not faults:
        return Problem("invalid", error.detail)
    field = faults[0].get("key", "")
    return bodies.invalid("" if field == "data" else field, faults[0]["message"])


def _response(status: int, headers: Mapping[str, str], answer: bytes) -> Response[bytes]:
    return Response(answer, status_code=status, headers=dict(headers), media_type="application/json")
