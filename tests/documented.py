"""Every answer of the API that a test gets is held against the API's own description, by whatever test it is."""

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
import msgspec

from services.api import app, families
from services.api.dialects.rest.openapi.document import Document


async def _core() -> None:
    """What the composition root gives besides."""


@cache
def _whole() -> dict[str, Any]:
    document = Document([*app.ROUTES, *app.DOCS], {"core": _core, **app.GIVEN}, limited=True)
    whole: dict[str, Any] = msgspec.json.decode(document.text("json"))
    return whole


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Each path as a pattern; one with fewer parameters comes first, as in the route table."""
    paths = sorted(_whole()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path) + "?"), path) for path in paths]


@cache
def _validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": _whole()["components"]})


async def documented(answer: httpx.Response) -> None:
    """Fail for an answer that the description does not know: by its status, its headers or its body."""
    if not families.is_of_rest(answer.request.url.path):  # not described yet
        return
    path = next((path for known, path in _paths() if known.fullmatch(answer.request.url.path)), None)
    method = {"HEAD": "get"}.get(answer.request.method, answer.request.method.lower())
    await answer.aread()
    where = f"{answer.request.method} {answer.request.url.path} → {answer.status_code}"
    if path is None:
        assert answer.status_code == 404, where
    elif answer.status_code == 400 and "host header" in answer.text.lower():
        pass  # refused like a head that cannot be parsed, whatever the path
    elif method == "options":
        assert (answer.status_code, "allow" in answer.headers) == (204, True), where
    elif method not in _whole()["paths"][path]:
        assert answer.status_code in (401, 405), where
        assert answer.status_code == 401 or "allow" in answer.headers, where
    else:
        _hold(answer, path, method, where)


def _hold(answer: httpx.Response, path: str, method: str, where: str) -> None:
    told = _whole()["paths"][path][method]["responses"].get(str(answer.status_code))
    assert told is not None, f"{where} is not described"
    if "$ref" in told:
        told = _whole()["components"]["responses"][told["$ref"].rpartition("/")[2]]
    for name in told.get("headers", {}):
        required = _whole()["components"]["headers"][name].get("required")
        assert not required or name.lower() in answer.headers, f"{where} without {name}"
    if not answer.content:
        assert "content" not in told or answer.request.method == "HEAD", f"{where} has no body"
        return
    media = answer.headers["content-type"].partition(";")[0]
    assert media in told.get("content", {}), f"{where} in {media}"
    if media == "application/json":
        schema = json.dumps(told["content"][media]["schema"])
        faults = [str(fault) for fault in _validator(schema).iter_errors(answer.json())]
        assert not faults, f"{where}: {faults}"
