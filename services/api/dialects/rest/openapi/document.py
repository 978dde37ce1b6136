"""The whole description, made when it is first asked for."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal

import msgspec
from litestar.handlers import HTTPRouteHandler

from services.api.dialects.rest.openapi import examples
from services.api.dialects.rest.openapi.calls import calls
from services.api.dialects.rest.openapi.errors import MEANINGS, Errors
from services.api.dialects.rest.openapi.operations import Operation, operations
from services.api.dialects.rest.openapi.parameters import Dependencies, described
from services.api.dialects.rest.openapi.schemas import Schemas
from services.api.dialects.rest.problems import STATUS
from services.api.dialects.rest.wire.problems import Error
from shared import __version__

Format = Literal["json", "yaml"]

_ABOUT = """\
Shoal keeps functions and runs them: by a call, on a schedule, or because something happened elsewhere.

Every path is also served without the slash at its end. It knows `OPTIONS` (204 with `Allow`, no token needed), and
`HEAD` where it knows `GET`; any other method is answered 405 with `Allow`. The head of a request is bounded: 431 beyond
64 KiB, 408 when it does not arrive, 400 when it is no HTTP or its `Host` is none. Where tenants have host names, one
that is no tenant's is 404. Fields of a body that are not named here are ignored.
"""
SECURITY: dict[str, dict[str, str]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, or the access token of a login: `Authorization: Bearer <token>`",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Authorization: Api-Key <token>`",
    },
    "session": {"type": "apiKey", "in": "header", "name": "X-Session-Token"},
}


class Document:
    """The description of these routes. `limited` says that there are rate limits."""

    def __init__(self, routes: Sequence[HTTPRouteHandler], dependencies: Dependencies, *, limited: bool) -> None:
        self._routes = routes
        self._dependencies = dependencies
        self._limited = limited
        self._texts: dict[Format, bytes] = {}

    def text(self, wanted: Format) -> bytes:
        """The description as it is sent; made once."""
        if wanted not in self._texts:
            whole = self.whole()
            self._texts[wanted] = msgspec.yaml.encode(whole) if wanted == "yaml" else msgspec.json.encode(whole)
        return self._texts[wanted]

    def operations(self) -> list[Operation]:
        """Every operation that there is."""
        return [*operations(self._routes, self._dependencies), *calls()]

    def whole(self) -> dict[str, Any]:
        """The description as plain data."""
        found = self.operations()
        schemas = Schemas(
            received=[operation.body for operation in found if operation.body is not None],
            sent=[
                Error,
                *(kind for operation in found for bodies in operation.bodies.values() for kind in _kinds(bodies)),
            ],
        )
        errors = Errors(limited=self._limited, error=schemas.of(Error))
        paths: dict[str, dict[str, Any]] = {}
        for operation in found:
            paths.setdefault(operation.path, {})[operation.method] = _told(operation, schemas, errors)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Shoal",
                "version": __version__,
                "description": _ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "security": [{name: []} for name in SECURITY],
            "tags": self._tags(),
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": schemas.components, **errors.components(), "securitySchemes": SECURITY},
        }

    def _tags(self) -> list[dict[str, str]]:
        """The nouns, as the modules of the handlers introduce themselves."""
        modules = {route.fn.__module__ for route in self._routes}
        return [
            {"name": module.rpartition(".")[2], "description": (import_module(module).__doc__ or "").partition(". ")[0]}
            for module in sorted(modules)
        ]


def _told(operation: Operation, schemas: Schemas, errors: Errors) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [described(parameter) for parameter in operation.parameters],
        "responses": _answers(operation, schemas, errors),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.body is not None:
        content = _content(operation.body, schemas)
        told["requestBody"] = {"required": operation.body_required, "content": {"application/json": content}}
    if operation.anonymous:
        told["security"] = []
    return told


def _answers(operation: Operation, schemas: Schemas, errors: Errors) -> dict[str, Any]:
    told: dict[str, Any] = {
        str(STATUS[code]): {"$ref": f"#/components/responses/{code}"} for code in operation.codes if errors.knows(code)
    }
    for status, bodies in operation.bodies.items():
        answer: dict[str, Any] = {"description": MEANINGS[status]}
        if headers := errors.headers(*operation.headers):
            answer["headers"] = headers
        if bodies:
            answer["content"] = {media: _content(kind, schemas) for media, kind in bodies.items()}
        told[str(status)] = answer
    return dict(sorted(told.items()))


def _kinds(bodies: Mapping[str, Any]) -> list[Any]:
    """What bodies may hold; a tuple is any of them."""
    return [one for kind in bodies.values() for one in (kind if isinstance(kind, tuple) else (kind,))]


def _content(kind: Any, schemas: Schemas) -> dict[str, Any]:
    if isinstance(kind, tuple):
        return {"schema": {"anyOf": [schemas.of(one) for one in kind]}}
    content: dict[str, Any] = {"schema": schemas.of(kind)}
    if found := examples.BODIES.get(kind):
        content["examples"] = {name: {"value": value} for name, value in found.items()}
    return content
