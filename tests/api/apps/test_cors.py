"""Pages of other origins: what the browser is told, at functions and at their management."""

import httpx
import pytest

from tests.api.apps.conftest import MakeApp
from tests.api.apps.scripted import Scripted, answer, http

NAMED, OTHER = "https://app.example.org", "https://evil.example.org"
OPEN = (http(auth="none"),)


def told(answered: httpx.Response) -> dict[str, str]:
    names = ("access-control-allow-origin", "access-control-allow-credentials", "vary")
    return {name: answered.headers[name] for name in names if name in answered.headers}


WITH_CREDENTIALS = {
    "access-control-allow-origin": NAMED,
    "access-control-allow-credentials": "true",
    "vary": "Origin",
}
CASES: list[tuple[list[str], str, dict[str, str]]] = [
    ([NAMED], NAMED, WITH_CREDENTIALS),
    ([NAMED], OTHER, {"vary": "Origin"}),
    ([NAMED], NAMED + ".evil.org", {"vary": "Origin"}),
    ([NAMED], "null", {"vary": "Origin"}),
    ([], NAMED, {"vary": "Origin"}),
    (["*"], OTHER, {"access-control-allow-origin": "*"}),
    (["*"], "*", {"access-control-allow-origin": "*"}),
    (["*", NAMED], NAMED, WITH_CREDENTIALS),
    (["*", NAMED], OTHER, {"access-control-allow-origin": "*", "vary": "Origin"}),
]


@pytest.mark.parametrize(("allowed", "origin", "lines"), CASES)
async def test_answers(*, anyone, owner, scripted: Scripted, make_app: MakeApp, allowed, origin: str, lines):
    app = await make_app(allowed_origins=allowed)
    open_path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=OPEN)}"
    closed_path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer())}"
    for client, path, status in (
        (anyone, open_path, 200),
        (anyone, closed_path, 401),
        (anyone, f"/v1/{app.public_id}/fn/nothing", 404),
        (owner, f"/v1/{app.public_id}/functions", 200),
        (anyone, f"/v1/{app.public_id}/functions", 401),
    ):
        answered = await client.get(path, headers={"Origin": origin})
        assert (answered.status_code, told(answered)) == (status, lines), path


async def test_without_an_origin_nothing_is_said(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app(allowed_origins=["*", NAMED])
    answered = await anyone.get(f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=OPEN)}")
    assert told(answered) == {}


@pytest.mark.parametrize("path", ["fn/{name}", "functions", "functions/{name}", "functions/{name}/invoke", "config"])
async def test_a_browser_that_asks_beforehand(anyone, scripted: Scripted, make_app: MakeApp, path: str):
    app = await make_app(allowed_origins=[NAMED])
    name = await scripted.add(app, answer())
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-mine"}
    url = f"/v1/{app.public_id}/{path.format(name=name)}"
    answered = await anyone.options(url, headers={"Origin": NAMED, **asked})
    assert (answered.status_code, answered.content, told(answered)) == (204, b"", WITH_CREDENTIALS)
    assert "POST" in answered.headers["access-control-allow-methods"].split(", ")
    assert answered.headers["access-control-allow-headers"] == "authorization, x-mine"
    refused = await anyone.options(url, headers={"Origin": OTHER, **asked})
    assert (refused.status_code, told(refused)) == (204, {"vary": "Origin"})
    assert "access-control-allow-methods" not in refused.headers
    assert name not in scripted.raw


async def test_the_methods_of_a_trigger(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app(allowed_origins=["*"])
    name = await scripted.add(app, answer(), triggers=(http(auth="none", method="POST"),))
    asked = {"Origin": OTHER, "Access-Control-Request-Method": "POST"}
    answered = await anyone.options(f"/v1/{app.public_id}/fn/{name}", headers=asked)
    assert answered.headers["access-control-allow-methods"] == "POST"
    assert "access-control-allow-credentials" not in answered.headers


async def test_strange_names_of_headers_are_not_repeated(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app(allowed_origins=["*"])
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=OPEN)}"
    for wanted in ("a b;c", "x" * 5000, "<script>"):
        asked = {"Origin": OTHER, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": wanted}
        answered = await anyone.options(path, headers=asked)
        assert answered.headers["access-control-allow-headers"] == "authorization, content-type"


async def test_options_that_no_browser_asks_reaches_the_handler(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app(allowed_origins=[NAMED])
    name = await scripted.add(app, answer(200, [], b"mine"), triggers=OPEN)
    path = f"/v1/{app.public_id}/fn/{name}"
    assert (await anyone.options(path, headers={"Origin": NAMED})).text == "mine"
    assert (await anyone.options(path, headers={"Access-Control-Request-Method": "GET"})).text == "mine"


async def test_a_handler_that_says_it_itself_is_left_alone(anyone, scripted: Scripted, make_app: MakeApp):
    app = await make_app(allowed_origins=[NAMED])
    own = [("Access-Control-Allow-Origin", "https://its.own"), ("Vary", "Accept")]
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(200, own), triggers=OPEN)}"
    answered = await anyone.get(path, headers={"Origin": NAMED})
    assert told(answered) == {"access-control-allow-origin": "https://its.own", "vary": "Accept"}
    assert "x-invocation-id" in answered.headers
    varies = (
        f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(200, [('Vary', 'Accept, Origin')]), triggers=OPEN)}"
    )
    answered = await anyone.get(varies, headers={"Origin": NAMED})
    assert answered.headers.get_list("vary") == ["Accept, Origin"]
    assert answered.headers.get_list("access-control-allow-origin") == [NAMED]
