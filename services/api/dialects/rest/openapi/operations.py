"""The operations of the API: one for each method of each path, read from the route table."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler

from services.api.dialects.rest.openapi import answers
from services.api.dialects.rest.openapi.answers import Answers
from services.api.dialects.rest.openapi.parameters import NAMES, Dependencies, Parameter, parameters
from shared.domain.problem import Code

_TYPED = re.compile(r"{(\w+)(?::\w+)?}")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `codes` are its Problems, `bodies` its other answers by status and media type.

    `headers` are those which these may have besides.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str = ""
    parameters: list[Parameter] = []
    body: Any = None
    body_required: bool = True
    bodies: Mapping[int, Mapping[str, Any]]
    headers: tuple[str, ...] = ()
    codes: frozenset[Code]
    anonymous: bool = False


def operations(routes: Iterable[HTTPRouteHandler], dependencies: Dependencies) -> list[Operation]:
    """What the route table says, each path once: with the slash at its end."""
    return [
        _operation(route, path, name, dependencies)
        for route in routes
        for path, name in _named(route.fn.__name__, sorted(route.paths, key=_rank))
    ]


def codes(parameters: Iterable[Parameter], *, body: Any, said: Answers, anonymous: bool) -> frozenset[Code]:
    """Every Problem that an operation may answer with: what follows from its signature, and what was said of it."""
    found: set[Code] = {"rate_limited", "unavailable", *said.codes}
    if not anonymous:
        found |= {"unauthenticated", "forbidden"}  # a token may have any scopes
    if body is not None:
        found |= {"invalid", "too_large"}
    for parameter in parameters:
        if parameter.place == "path" or parameter.name == "page":
            found.add("not_found")
        elif not parameter.is_free:
            found.add("invalid")
    return frozenset(found)


def told(handler: Callable[..., Any]) -> tuple[str, str]:
    """Summary and description: the first sentence of the docstring, and what follows it."""
    first, _, rest = (handler.__doc__ or "").strip().partition("\n")
    return first.rstrip("."), "\n".join(line.strip() for line in rest.strip().splitlines())


def shown(path: str) -> str:
    """A path of the route table as the description has it."""
    return _TYPED.sub(lambda found: f"{{{NAMES.get(found[1], found[1])}}}", path) + "/"


def _operation(route: HTTPRouteHandler, path: str, name: str, dependencies: Dependencies) -> Operation:
    handler = route.fn
    hints = get_type_hints(handler, include_extras=True)
    said, given = answers.of(handler), parameters(handler, path, dependencies)
    body, body_required = _body(handler, hints)
    anonymous = bool(route.opt.get("anonymous"))
    summary, description = told(handler)
    success = said.media or ({} if hints["return"] is type(None) else {"application/json": hints["return"]})
    also = {status: {"application/json": kind} for status, kind in said.also.items()}
    return Operation(
        method=next(iter(route.http_methods)).lower(),
        path=shown(path),
        name=name,
        tag=handler.__module__.rpartition(".")[2],
        summary=summary,
        description=description,
        parameters=given,
        body=body,
        body_required=body_required,
        bodies={route.status_code: success, **also},
        codes=codes(given, body=body, said=said, anonymous=anonymous),
        anonymous=anonymous,
    )


def _body(handler: Callable[..., Any], hints: Mapping[str, Any]) -> tuple[Any, bool]:
    """What the body is, and whether there must be one: it may be left out where it has a default."""
    if "data" not in hints:
        return None, True
    return hints["data"], inspect.signature(handler).parameters["data"].default is inspect.Parameter.empty


def _rank(path: str) -> tuple[bool, bool, int, str]:
    """The path that a handler is known by comes first: the specification's own, then the shortest."""
    return "{app:" in path, not path.startswith("/api/functions"), len(path), path


def _named(name: str, paths: list[str]) -> Iterable[tuple[str, str]]:
    """A name for the operation under each of its paths."""
    yield paths[0], name
    for number, path in enumerate(paths[1:], 1):
        kind = "in_app" if "{app:" in path else "also"
        yield path, f"{name}_{kind}" if number == 1 else f"{name}_{kind}_{number}"
