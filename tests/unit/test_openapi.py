"""The description of the API without a server: complete, true to the route table, and of a piece."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
from litestar.handlers import HTTPRouteHandler

from services.api import app
from services.api.config import Api
from services.api.dialects.rest import execute
from services.api.dialects.rest.openapi import calls, examples
from services.api.dialects.rest.openapi.document import Document
from services.api.dialects.rest.openapi.errors import SENTENCES
from services.api.dialects.rest.openapi.operations import Operation
from services.api.dialects.rest.problems import STATUS
from services.api.dialects.rest.routes import apps, asked, functions, invocations, versions
from shared.callers.auth import Auth
from tests.problems import raised

ROUTES: list[HTTPRouteHandler] = [*app.ROUTES, *app.DOCS]


async def core() -> None:
    """What the composition root gives besides."""


GIVEN = {"core": core, **app.GIVEN}
DOCUMENT = Document(ROUTES, GIVEN, limited=True)
OPERATIONS = {operation.name: operation for operation in DOCUMENT.operations()}
WHOLE: dict[str, Any] = msgspec.json.decode(DOCUMENT.text("json"))
HANDLERS = {route.fn.__name__: route.fn for route in ROUTES}


def described(route: HTTPRouteHandler) -> set[tuple[str, str]]:
    """Methods and paths of a route, with the slash and without types."""
    paths = {re.sub(r":\w+}", "}", path).replace("{app}", "{app_slug}") + "/" for path in route.paths}
    return {(method.lower(), path) for method in route.http_methods for path in paths}


def test_every_route_is_described_and_every_description_is_of_a_route():
    told = {(method, path) for path, methods in WHOLE["paths"].items() for method in methods}
    called = {("post", re.sub("{app}", "{app_slug}", path) + "/") for path in calls.PATHS.values()}
    assert told == set().union(*(described(route) for route in ROUTES)) | called


def test_the_calls_that_are_described_are_those_that_are_taken():
    for path in calls.PATHS.values():
        filled = path.format(slug="calculate-tax", app="test-app")
        expected = execute.Target("calculate-tax", "test-app" if "{app}" in path else None)
        assert execute.target(filled) == execute.target(f"{filled}/") == expected


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("get", "/api/functions/", "list_functions"),
        ("get", "/api/apps/{app_slug}/functions/", "list_functions_in_app"),
        ("post", "/api/apps/{app_slug}/functions/", "create_function_in_app"),
        ("get", "/api/functions/{slug}/", "show_function"),
        ("patch", "/api/functions/{slug}/", "change_function"),
        ("delete", "/api/functions/{slug}/", "delete_function"),
        ("get", "/api/functions/{slug}/history/", "list_history"),
        ("post", "/api/functions/{slug}/code/", "upload_code"),
        ("patch", "/api/functions/{slug}/code/", "edit_code"),
        ("get", "/api/functions/code/", "list_code"),
        ("post", "/api/functions/code/{id}/activate/", "activate_code"),
        ("post", "/api/functions/{slug}/execute/", "execute_function"),
        ("get", "/api/functions/{slug}/executions/", "list_executions"),
        ("get", "/api/functions/result/{task_id}/", "show_result"),
        ("get", "/api/functions/invocations/", "list_invocations"),
        ("get", "/api/functions/invocations/{id}/", "show_invocation"),
        ("get", "/api/functions/invocations/{id}/result/", "show_invocation_result"),
        ("get", "/api/functions/invocations/by-task-id/{task_id}/", "show_invocation_by_task"),
    ],
)
def test_names_that_clients_are_generated_from_stay(method: str, path: str, name: str):
    assert WHOLE["paths"][path][method]["operationId"] == name


def test_names_are_unique():
    names = [operation["operationId"] for methods in WHOLE["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def raised_by(operation: Operation) -> frozenset[str]:
    """What the handler of an operation may raise, and what gives it what it asks for by name."""
    if operation.name in calls.PATHS:
        return raised(execute.Execute._answer, execute.Execute)
    handler = next(
        fn for name, fn in HANDLERS.items() if re.fullmatch(rf"{name}(_in_app|_also)?(_\d+)?", operation.name)
    )
    given = [GIVEN[name] for name in handler.__annotations__ if name in GIVEN]
    return frozenset().union(*(raised(function) for function in (handler, *given)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_problem_that_can_be_raised_is_described(name: str):
    operation = OPERATIONS[name]
    missing = raised_by(operation) - operation.codes - {"unavailable"}
    assert not missing, f"say it above the handler: @answers({', '.join(map(repr, sorted(missing)))})"
    answers = WHOLE["paths"][operation.path][operation.method]["responses"]
    assert {str(STATUS[code]) for code in operation.codes} | {str(status) for status in operation.bodies} == set(
        answers
    )


@pytest.mark.parametrize(
    ("function", "codes"),
    [
        (functions.create_function, {"invalid", "forbidden", "conflict"}),
        (functions.list_functions, {"not_found"}),
        (versions.upload_code, {"invalid", "forbidden", "conflict", "not_found", "too_large", "unavailable"}),
        (invocations.show_result, {"not_found"}),
        (asked.number, {"not_found"}),
        (apps.delete_app, {"conflict"}),
    ],
)
def test_what_can_be_raised_is_found(function: Any, codes: set[str]):
    assert raised(function) >= codes


def test_every_problem_has_a_sentence():
    assert set(SENTENCES) == set(STATUS)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_references_lead_somewhere():
    for reference in references(WHOLE):
        found = WHOLE
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found


def test_schemas_are_schemas_with_plain_names():
    for name, schema in WHOLE["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z]*", name), f"{name}: two bodies have the same name"
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        assert r"\A" not in str(schema)


def validator(name: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": WHOLE["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", examples.BODIES, ids=lambda kind: kind.__name__)
def test_examples_are_what_they_are_examples_of(kind: Any):
    for value in examples.BODIES[kind].values():
        assert list(validator(kind.__name__).iter_errors(value)) == []


def test_what_is_always_sent_is_required():
    schemas = WHOLE["components"]["schemas"]
    assert "success" in schemas["Output"]["required"]
    assert "logs" not in schemas["Output"]["required"]
    assert schemas["Error"]["required"] == ["error", "message", "detail"]
    assert schemas["CreateFunction"]["required"] == ["name"]


def test_parameters_have_their_bounds():
    found = {parameter["name"]: parameter for parameter in WHOLE["paths"]["/api/functions/"]["get"]["parameters"]}
    assert found["execution_mode"]["schema"] == {"enum": ["app", "proxy", "system"]}
    assert found["page"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 10**9}
    assert found["is_active"]["schema"] == {"type": "boolean"}
    assert found["search"]["schema"]["maxLength"] == 100
    slug = WHOLE["paths"]["/api/functions/{slug}/"]["get"]["parameters"][0]
    assert (slug["in"], slug["required"], slug["schema"]["pattern"]) == ("path", True, "^[a-z0-9]+(-[a-z0-9]+)*$")


def test_without_rate_limits_there_are_none_to_describe():
    text = Document(ROUTES, GIVEN, limited=False).text("json")
    assert b"X-RateLimit" in DOCUMENT.text("json")
    assert b"X-RateLimit" not in text
    assert b'"429"' not in text


# The release after the next of the framework wants to be told which parameter is the query's; now it only warns.
@pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
@pytest.mark.parametrize(("docs", "status"), [(True, 200), (False, 404)])
async def test_the_setting_takes_the_description_away(docs: bool, status: int):
    framework: Any = app.framework(None, Auth(None, None, domain=""), Api(docs=docs), body_bytes=1000)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(framework), base_url="http://shoal") as http:
        assert [(await http.get(path)).status_code for path in ("/api/schema/", "/api/docs")] == [status] * 2
