"""The three dialects of the HTTP API as OpenAPI 3.1. The first one's is a running Shoal's own."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, NamedTuple, get_args

import msgspec
from litestar.handlers import HTTPRouteHandler

from services.api.dialects.apps import problems as apps
from services.api.dialects.apps.live import Live
from services.api.dialects.rest.openapi.document import SECURITY, Document
from services.api.dialects.rest.openapi.errors import MEANINGS, SENTENCES
from services.api.dialects.rest.openapi.operations import Operation, operations
from services.api.dialects.rest.openapi.parameters import Parameter, described
from services.api.dialects.rest.openapi.schemas import Schemas
from services.api.dialects.webui import problems as plugins
from services.api.dialects.webui.wire.problems import Error as PluginError
from services.api.routes import APPS, DOCS, GIVEN, ROUTES, WEBUI
from shared import __version__
from shared.callers.refusals import Refused
from shared.domain.problem import Code, Problem

_JSON = "application/json"
_IN_PATHS = {
    "id": "The plugin's id",
    "app_id": "The app's public id, or its slug",
    "name": "The function's name",
}


class Dialect(NamedTuple):
    """A dialect that does not describe itself: its routes, its words for what went wrong, and their status."""

    title: str
    routes: Sequence[HTTPRouteHandler]
    error: Any
    rendered: Callable[[Problem], tuple[int, dict[str, str], bytes]]


_OTHERS = {
    "apps": Dialect("Shoal: functions by name", APPS, Refused, apps.rendered),
    "plugins": Dialect("Shoal: plugins", WEBUI, PluginError, plugins.rendered),
}


def document(name: str) -> dict[str, Any]:
    """The description of the dialect: `rest`, `apps` or `plugins`."""
    dependencies = {"core": _core, **GIVEN}
    if name == "rest":
        return Document([*ROUTES, *DOCS], dependencies, limited=True).whole()
    dialect = _OTHERS[name]
    found = operations(dialect.routes, dependencies)
    schemas = Schemas(
        received=[one.body for one in found if one.body is not None],
        sent=[dialect.error, *(kind for one in found for media in one.bodies.values() for kind in _kinds(media))],
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in found:
        paths.setdefault(one.path, {})[one.method] = _told(one, dialect, schemas)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": dialect.title, "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}],
        "security": [{scheme: []} for scheme in SECURITY],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY},
    }
    return _named(whole)


def text(name: str) -> str:
    """The description in JSON."""
    return msgspec.json.format(msgspec.json.encode(document(name)), indent=1).decode()


def _kinds(media: Mapping[str, Any]) -> list[Any]:
    """What is told of bodies; nothing of one that the handler writes itself, while it is made."""
    return [one for kind in media.values() if kind is not Live for one in _each(kind)]


def _each(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union by themselves: msgspec takes no union of two lists."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _schema(kind: Any, schemas: Schemas) -> dict[str, Any]:
    found = [schemas.of(one) for one in _each(kind)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _named(whole: dict[str, Any]) -> dict[str, Any]:
    """Where two bodies have one name they are told apart by their noun, without the names of all modules above it."""
    told = msgspec.json.encode(whole).decode()
    for name in whole["components"]["schemas"]:
        *_, noun, kind = f".{name}".split(".")
        if noun:
            told = re.sub(rf'(?<=["/]){re.escape(name)}(?=")', f"{kind}Of{noun.capitalize()}", told)
    named: dict[str, Any] = msgspec.json.decode(told)
    return named


async def _core() -> None:
    """What the composition root gives besides."""


def _told(operation: Operation, dialect: Dialect, schemas: Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": dict(sorted({**_problems(operation, dialect, schemas), **_answers(operation, schemas)}.items())),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.body is not None:
        content = {_JSON: {"schema": schemas.of(operation.body)}}
        told["requestBody"] = {"required": operation.body_required, "content": content}
    return told


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """In the paths of these dialects there are names, where the first one has numbers."""
    said = _IN_PATHS.get(parameter.name) if parameter.place == "path" else None
    return described(parameter if said is None else parameter._replace(type=str, description=said))


def _problems(operation: Operation, dialect: Dialect, schemas: Schemas) -> dict[str, Any]:
    """By status: several codes may share one."""
    said: dict[str, list[str]] = {}
    for code in sorted(operation.codes):
        status, _, _ = dialect.rendered(Problem(code, ""))
        said.setdefault(str(status), []).append(_sentence(code))
    content = {_JSON: {"schema": schemas.of(dialect.error)}}
    return {status: {"description": " Or: ".join(sentences), "content": content} for status, sentences in said.items()}


def _sentence(code: Code) -> str:
    return SENTENCES[code].partition(": `")[0].rstrip(".") + "."


def _answers(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    return {
        str(status): {
            "description": MEANINGS[status],
            "content": {name: {"schema": _schema(kind, schemas)} for name, kind in media.items()}
            if _kinds(media)
            else {"text/event-stream": {"schema": {"type": "string"}}},
        }
        for status, media in operation.bodies.items()
    }
