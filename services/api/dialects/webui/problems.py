"""What went wrong, as this dialect says it: a status of its own for each fault, and `{"detail": …}`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from services.api import methods
from services.api.dialects.webui.faults import fault, missing
from services.api.dialects.webui.wire.problems import Error, Fault
from shared import telemetry
from shared.domain.problem import Code, Problem

NOT_FOUND = "We could not find what you're looking for :/"
NOT_ALLOWED = "You do not have permission to access this resource. Please contact your administrator for assistance."
NO_TOKEN = "Not authenticated"  # noqa: S105 - a sentence
BAD_TOKEN = "401 Unauthorized"  # noqa: S105 - a sentence
BAD_KEY = "Your session has expired or the token is invalid. Please sign in again."

_UNPROCESSABLE, _CRASHED = 422, 500
_STATUS: dict[Code, int] = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 401,
    "not_found": 401,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
}
_SENTENCES: dict[Code, str] = {"unauthenticated": BAD_TOKEN, "forbidden": NOT_ALLOWED, "not_found": NOT_FOUND}
_HEADERS: dict[Code, dict[str, str]] = {
    "unauthenticated": {"www-authenticate": "Bearer"},
    "unavailable": {"retry-after": "2"},
    # The rest of the body is not read: the connection cannot carry another request.
    "too_large": {"connection": "close"},
}
_OF_THE_FRAMEWORK = {404: "Not Found", 405: "Method Not Allowed"}
_MISSING = re.compile(r"Missing required (\w+) parameter '(\w+)'")
_SCHEMES = frozenset({"bearer", "api-key"})
_KEY_BEGINS = "sk-"
_log = telemetry.logger("webui")


class Told(Problem):
    """What went wrong, in this dialect's words already: a sentence, or the faults of a request's fields."""

    def __init__(self, status: int, detail: str | Sequence[Fault]) -> None:
        super().__init__("invalid", detail if isinstance(detail, str) else "The request is wrong")
        self.status = status
        self.detail = detail if isinstance(detail, str) else list(detail)


def unprocessable(faults: Sequence[Fault]) -> Told:
    """A request whose fields are not what they are to be."""
    return Told(_UNPROCESSABLE, faults)


def rendered(problem: Problem) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a Problem."""
    if isinstance(problem, Told):
        return problem.status, {}, _body(problem.detail)
    again_s = problem.retry_after_s
    headers = {"retry-after": str(again_s)} if again_s else _HEADERS.get(problem.code, {})
    return _STATUS[problem.code], headers, _body(_SENTENCES.get(problem.code, problem.message))


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A Problem from the core."""
    status, headers, body = rendered(problem)
    if problem.code == "unauthenticated":
        body = _body(_of_stranger(request.headers))
    return _response(status, headers, body)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework itself refuses: unknown paths, methods, wrong types in a query."""
    if error.status_code >= _CRASHED:
        return on_crash(request, error)
    if isinstance(error, ValidationException):
        return on_problem(request, unprocessable(_wrong(error)))
    if error.status_code == _STATUS["too_large"]:
        return on_problem(request, Problem("too_large", "The body is too large"))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if known := headers.get("allow"):
        headers["allow"] = methods.allow(known.split(", "))
    return _response(error.status_code, headers, _body(_OF_THE_FRAMEWORK.get(error.status_code, error.detail)))


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Our own fault: told to the log, not to the caller."""
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _response(_CRASHED, {}, _body("Internal server error"))


def _of_stranger(headers: Mapping[str, str]) -> str:
    """Why nobody is known by these headers."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    sent = token.strip() if scheme.lower() in _SCHEMES else headers.get("x-session-token", "")
    if not sent:
        return NO_TOKEN
    return BAD_KEY if sent.startswith(_KEY_BEGINS) else BAD_TOKEN


def _wrong(error: ValidationException) -> list[Fault]:
    """The framework names the body `data`, and says nothing of one that is not there."""
    if named := _MISSING.match(error.detail):
        return [missing((named[1], named[2]))]
    found: list[dict[str, str]] = error.extra if isinstance(error.extra, list) else [{"message": error.detail}]
    return [
        missing(("body",))
        if one.get("key") == "data"
        else fault(one["message"], (one.get("source", "query"), one.get("key", "")))
        for one in found
    ]


def _body(detail: str | list[Fault]) -> bytes:
    return msgspec.json.encode(Error(detail))


def _response(status: int, headers: Mapping[str, str], body: bytes) -> Response[bytes]:
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")
