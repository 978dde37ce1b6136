"""The collector that the page adds to compose.yaml is reached by every service, and reaches what is outside."""

import re
from typing import Any
from urllib.parse import urlsplit

import yaml

from shared.config import SERVICES
from tests.platform import ROOT

PAGE = (ROOT / "docs" / "traces.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def added() -> dict[str, Any]:
    """What the page adds: the one service."""
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    override = yaml.safe_load(block)
    assert set(override) == {"services"}  # networks are those of compose.yaml
    [(name, service)] = override["services"].items()
    return {"name": name, **service}


def test_every_service_reaches_the_collector_where_the_page_says_it_is() -> None:
    collector = added()
    [url] = re.findall(r"`OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)` in `\.env`", PAGE)
    config = yaml.safe_load(collector["environment"]["COLLECTOR"])
    heard = config["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert (urlsplit(url).hostname, f"0.0.0.0:{urlsplit(url).port}") == (collector["name"], heard)
    assert collector["command"] == ["--config=env:COLLECTOR"]
    for name in SERVICES:
        service = COMPOSE["services"][name]
        assert service["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}", name
        assert set(service["networks"]) & set(collector["networks"]), name


def test_it_passes_on_what_comes_and_gets_out() -> None:
    collector = added()
    config = yaml.safe_load(collector["environment"]["COLLECTOR"])
    traces = config["service"]["pipelines"]["traces"]
    assert (set(traces["receivers"]), set(traces["exporters"])) == (set(config["receivers"]), set(config["exporters"]))
    assert collector["name"] not in COMPOSE["services"]
    ways = {name: COMPOSE["networks"][name].get("internal", False) for name in collector["networks"]}
    assert set(ways.values()) == {True, False}
