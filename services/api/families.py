"""Which dialect a path belongs to: its words for what went wrong, also where no route was found."""

import re
from typing import Any, Protocol

from litestar import Request, Response
from litestar.exceptions import HTTPException

from services.api.dialects.apps import problems as apps
from services.api.dialects.rest import problems as rest
from services.api.dialects.webui import problems as webui
from shared.domain.problem import Problem

_SLASHES = re.compile("//+")
_APPS = "/v1"
# Beside them `/api/functions/` is the other dialect's: its own slugs are never one of these words.
_WEBUI = re.compile(r"/api/(v1/functions(/.*)?|functions/((id|load)/.+|(list|export|create|sync)/?))", re.DOTALL)


class Words(Protocol):
    """A dialect's `problems`."""

    def rendered(self, problem: Problem, /) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a Problem."""
        ...

    def on_problem(self, request: Request[Any, Any, Any], problem: Problem, /) -> Response[bytes]:
        """A Problem from the core."""
        ...

    def on_http(self, request: Request[Any, Any, Any], error: HTTPException, /) -> Response[bytes]:
        """What the framework itself refuses."""
        ...

    def on_crash(self, request: Request[Any, Any, Any], error: Exception, /) -> Response[bytes]:
        """Anything else."""
        ...


def is_of_apps(path: str) -> bool:
    """Whether the path, as the framework reads it, is one of `/v1/{app_id}/…`."""
    path = _folded(path)
    return path == _APPS or path.startswith(f"{_APPS}/")


def is_of_rest(path: str) -> bool:
    """Whether the path is neither's: the first dialect has all that no other has."""
    return words(path) is rest


def words(path: str) -> Words:
    """The words of the dialect that the path belongs to."""
    if is_of_apps(path):
        return apps
    return webui if _WEBUI.fullmatch(_folded(path)) else rest


def named(words: Words) -> str:
    """The name of the dialect that has these words."""
    return "apps" if words is apps else "webui" if words is webui else "rest"


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A Problem from the core, in the words of the path's dialect."""
    return words(request.scope["path"]).on_problem(request, problem)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses, likewise."""
    return words(request.scope["path"]).on_http(request, error)


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else, likewise."""
    return words(request.scope["path"]).on_crash(request, error)


def _folded(path: str) -> str:
    return _SLASHES.sub("/", path) if "//" in path else path
