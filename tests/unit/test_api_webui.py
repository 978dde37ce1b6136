"""The dialect of plugins without a server: whose path it is, what is wrong with a body, how a fault is told."""

from typing import Any

import msgspec
import pytest
from litestar.testing import RequestFactory

from services.api import families
from services.api.dialects.apps import problems as apps
from services.api.dialects.rest import problems as rest
from services.api.dialects.webui import decode, problems
from services.api.dialects.webui.problems import Told
from services.api.dialects.webui.wire import functions, loading, versions
from services.api.door import Door
from shared.domain.problem import Code, Problem

FORM = {"id": "one", "name": "One", "content": "x = 1", "meta": {"description": "what it does"}}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        *((f"/api/{path}", problems) for path in (
            "functions/id/x", "functions/id/x/", "functions/id/x/valves/user/spec", "functions/id/x/no/such/thing",
            "functions/list", "functions/list/", "functions/export", "functions/create/", "functions/sync",
            "functions/load/url", "functions/load/anything", "functions//id//x", "functions/id/new\nline",
            "v1/functions", "v1/functions/", "v1/functions/id/x", "v1/functions/whatever/else", "v1//functions/list/",
        )),
        *((f"/api/{path}", rest) for path in (
            "functions", "functions/", "functions/id", "functions/id/", "functions/load", "functions/my-slug/",
            "functions/list/execute", "functions/lists", "functions/my-slug/execute/", "v1", "v1/functionsx",
            "apps/id/functions/list", "apps/a/functions/id/x",
        )),
        ("/v1/functions/id/x", apps), ("/x/api/v1/functions", rest),
    ],
)  # fmt: skip
def test_whose_words_a_path_has(path: str, words: Any):
    assert families.words(path) is words


def faults(kind: Any, body: Any) -> list[tuple[str, list[Any], str]]:
    """What is wrong with a body, as it is told."""
    sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
    with pytest.raises(Told) as raised:
        decode.form(kind, sent)
    status, headers, told = problems.rendered(raised.value)
    assert (status, headers) == (422, {})
    return [(one["type"], one["loc"], one["msg"]) for one in msgspec.json.decode(told)["detail"]]


def test_all_that_is_wrong_with_a_form_is_told_at_once():
    body = {"id": 5, "content": None, "meta": {"description": 1, "manifest": [], "toggle": "kept"}}
    assert faults(functions.Form, body) == [
        ("string_type", ["body", "id"], "Input should be a valid string"),
        ("missing", ["body", "name"], "Field required"),
        ("string_type", ["body", "content"], "Input should be a valid string"),
        ("string_type", ["body", "meta", "description"], "Input should be a valid string"),
        ("dict_type", ["body", "meta", "manifest"], "Input should be a valid dictionary"),
    ]
    assert faults(functions.Form, {**FORM, "meta": None}) == [
        ("dict_type", ["body", "meta"], "Input should be a valid dictionary")
    ]
    for body in ([], "x", None, 1):
        [(kind, way, _)] = faults(functions.Form, body)
        assert (kind, way) == ("model_attributes_type", ["body"])


def test_what_is_wrong_in_a_sync_is_told_with_its_place():
    entry = {**FORM, "is_active": "yes", "created_at": -1, "valves": []}
    assert faults(functions.Sync, {"functions": [FORM, entry]}) == [
        ("dict_type", ["body", "functions", 1, "valves"], "Input should be a valid dictionary"),
        ("bool_type", ["body", "functions", 1, "is_active"], "Input should be a valid boolean"),
        ("value_error", ["body", "functions", 1, "created_at"], "Expected `int` >= 0"),
    ]
    assert faults(functions.Sync, {}) == [("missing", ["body", "functions"], "Field required")]
    assert faults(functions.Sync, {"functions": {}}) == [
        ("list_type", ["body", "functions"], "Input should be a valid list")
    ]
    assert len(faults(functions.Sync, {"functions": [1] * 1000})) == 100
    assert faults(loading.Load, {}) == [("missing", ["body", "url"], "Field required")]
    assert faults(versions.Use, {"version_id": 7})[0][1] == ["body", "version_id"]
    assert faults(dict[str, Any], [])[0] == ("dict_type", ["body"], "Input should be a valid dictionary")


@pytest.mark.parametrize(
    ("body", "at"), [(b'{"id" 1}', 6), (b'{"id": 1', 8), (b'{"id": NaN}', 7), (b"{}x", 3), (b'"\xff"', 1)]
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, at: int):
    assert faults(functions.Form, body) == [("json_invalid", ["body", at], "JSON decode error")]


def test_a_body_nested_too_deeply_is_refused():
    assert faults(functions.Form, b"[" * 100_000)[0][0] == "json_invalid"


def test_a_form_keeps_what_is_in_its_meta_and_nothing_else():
    form = decode.form(functions.Form, msgspec.json.encode({**FORM, "is_active": True, "meta": {"icon_url": "x"}}))
    assert form == functions.Form(id="one", name="One", content="x = 1", meta={"icon_url": "x"})


@pytest.mark.parametrize(
    ("code", "status", "detail", "headers"),
    [
        ("invalid", 400, "why", {}),
        ("unauthenticated", 401, problems.BAD_TOKEN, {"www-authenticate": "Bearer"}),
        ("forbidden", 401, problems.NOT_ALLOWED, {}),
        ("not_found", 401, problems.NOT_FOUND, {}),
        ("conflict", 409, "why", {}),
        ("too_large", 413, "why", {"connection": "close"}),
        ("rate_limited", 429, "why", {"retry-after": "7"}),
        ("unavailable", 503, "why", {"retry-after": "2"}),
    ],
)
def test_how_a_problem_is_told(code: Code, status: int, detail: str, headers: dict[str, str]):
    problem = Problem(code, "why", {"field": "why"}, retry_after_s=7 if code == "rate_limited" else 0)
    told, lines, body = problems.rendered(problem)
    assert (told, lines, msgspec.json.decode(body)) == (status, headers, {"detail": detail})


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, problems.NO_TOKEN),
        ({"authorization": "Basic abc"}, problems.NO_TOKEN),
        ({"authorization": "Bearer "}, problems.NO_TOKEN),
        ({"authorization": "Bearer abc"}, problems.BAD_TOKEN),
        ({"authorization": "Api-Key abc"}, problems.BAD_TOKEN),
        ({"x-session-token": "abc"}, problems.BAD_TOKEN),
        ({"authorization": "bearer sk-0123456789abcdef"}, problems.BAD_KEY),
    ],
)
def test_what_a_stranger_is_told(headers: dict[str, str], detail: str):
    request = RequestFactory().get("/api/v1/functions", headers=headers)
    answer = problems.on_problem(request, Problem("unauthenticated", "why"))
    assert msgspec.json.decode(answer.content) == {"detail": detail}
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_one_more_than_may_be_in_progress_is_told_in_the_words_of_the_path():
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    door = Door(None, None, most=0)  # type: ignore[arg-type]  # nothing comes that far
    await door({"type": "http", "method": "GET", "path": "/api/v1/functions/list", "headers": []}, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"2") in sent[0]["headers"]
    assert set(msgspec.json.decode(sent[1]["body"])) == {"detail"}
