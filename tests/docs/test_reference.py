"""What is made of the code is all there, and the hand-written pages say the same."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema_rs
import msgspec
import openapi_spec_validator
import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from litestar.handlers import HTTPRouteHandler

from docsite.reference import PAGES, asyncapi, openapi
from docsite.reference.limits import all_streams
from docsite.reference.wires import WIRES
from services.api.routes import APPS, ROUTES, WEBUI
from shared import config
from shared.bus import lines, messages, notices, subjects
from shared.domain.invocation import TRANSITIONS
from shared.domain.problem import Code
from tests.platform import ROOT
from tests.unit.test_settings import all_settings


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_has_a_title_and_something_to_say(name: str):
    text = PAGES[name]()
    if name.endswith(".md"):
        assert re.match(r"# \S.*\n\n\S", text)
        assert "|" in text or "```" in text
    else:
        assert msgspec.json.decode(text)


def test_every_setting_is_told_with_its_kind():
    page = PAGES["reference/settings.md"]()
    assert sorted(name for name in all_settings() - config.OF_UP if f"| `{name}` |" not in page) == []


def test_every_metric_of_telemetry_is_told():
    source = "".join(path.read_text() for path in (ROOT / "shared").rglob("telemetry*.py"))
    made = set(re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(shoal_\w+)"', source))
    told = set(re.findall(r"`(shoal_\w+?)(?:_total)?`", PAGES["reference/metrics.md"]()))
    assert made
    assert {name.removesuffix("_total") for name in made} - told == set()


def test_every_code_and_every_status_is_told():
    errors, statuses = PAGES["reference/errors.md"](), PAGES["reference/statuses.md"]()
    assert [code for code in get_args(Code) if f"| `{code}` |" not in errors] == []
    assert [status for status in TRANSITIONS if f"| `{status}` |" not in statuses] == []


SAID = re.compile(r"^\| `([A-Z_]+)` \| ([\d,]+(?:\.\d+)?)(?: (KiB|MiB|GiB))? \|", re.MULTILINE)
MADE = re.compile(r"^\| `([A-Z_]+)` \| [\w ]+ \| `(-?[\d,]+(?:\.\d+)?)` \|", re.MULTILINE)
SIZES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def test_the_settings_page_has_the_defaults_of_the_code():
    made = {name: float(value.replace(",", "")) for name, value in MADE.findall(PAGES["reference/settings.md"]())}
    said = SAID.findall((ROOT / "docs" / "settings.md").read_text("utf-8"))
    stated = {name: float(value.replace(",", "")) * SIZES[unit] for name, value, unit in said if name in made}
    assert len(stated) > len(made) // 2
    derived = {name for name, value in made.items() if value == 0}  # from the machine or from others
    assert {name: value for name, value in stated.items() if name not in derived and value != made[name]} == {}


def test_every_subject_is_told():
    told = {wire.subject if isinstance(wire.subject, str) else wire.subject.__name__ for wire in WIRES}
    patterns = {"held_back"}
    made = {
        name
        for name, function in inspect.getmembers(subjects, inspect.isfunction)
        if function.__annotations__["return"] is str and name not in patterns
    }
    assert made | {subjects.RECORDED, subjects.FOLLOWERS} == told


@pytest.mark.parametrize("module", [lines, messages, notices])
def test_every_message_is_told(module: Any):
    told = {kind for wire in WIRES for kind in (*wire.messages, *wire.answers)}
    made = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if kind.__module__ == module.__name__}
    tagged = {kind for kind in made if issubclass(kind, msgspec.Struct) and kind.__struct_config__.tag}
    assert tagged
    assert tagged - told == set()


def test_what_is_stored_is_in_a_stream_that_takes_it():
    taken = {stream.name: stream.subjects for stream in all_streams()}
    for wire in WIRES:
        address = re.sub(r"{\w+}", "x", wire.address)
        takers = [name for name, patterns in taken.items() if any(_takes(pattern, address) for pattern in patterns)]
        assert takers == ([wire.stream] if wire.stream else []), wire.address


def _takes(pattern: str, subject: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", r"[^.]+").replace(">", ".+")
    return re.fullmatch(wild, subject) is not None


def test_the_document_of_the_bus_is_whole():
    """Every reference in it leads somewhere, and FastStream reads it as it would its own."""
    whole = asyncapi.document()
    ApplicationSchema.model_validate(whole)
    assert whole["asyncapi"].startswith("3.")
    for reference in _references(whole):
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    for channel in whole["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", {}))
    for operation in whole["operations"].values():
        assert operation["action"] in ("send", "receive")


def test_what_travels_is_what_the_document_says():
    whole = asyncapi.document()
    sent = {
        "FunctionChanged": notices.FunctionChanged(tenant="acme", function="tax", revision=3),
        "Lease": notices.Lease(owner="a", lasts_s=6.0),
        "Recorded": messages.Recorded(count=2),
        "Compiled": notices.Compiled(unavailable="away"),
    }
    for name, message in sent.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        assert validator.is_valid(msgspec.json.decode(msgspec.json.encode(message))), name
        assert not validator.is_valid({"type": "something.else"}), name


@pytest.mark.parametrize(("dialect", "routes"), [("rest", ROUTES), ("apps", APPS), ("plugins", WEBUI)])
def test_every_route_is_told(dialect: str, routes: list[HTTPRouteHandler]):
    whole = openapi.document(dialect)
    openapi_spec_validator.validate(whole)
    told = {operation["operationId"] for methods in whole["paths"].values() for operation in methods.values()}
    assert {route.fn.__name__ for route in routes} - told == set()
    page = PAGES[{"rest": "reference/http-api.md"}.get(dialect, f"reference/http-{dialect}.md")]()
    assert [path for path in whole["paths"] if f" {path}`" not in page] == []


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)
