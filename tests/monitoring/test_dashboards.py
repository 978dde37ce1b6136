"""The dashboards as Grafana reads them: nothing of them is drawn here, so what can be known without is asked for."""

import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from deploy.grafana.boards import BOARDS
from deploy.grafana.dashboard import text
from tests.monitoring.rules import DASHBOARDS, ROOT, boards, queries

KINDS = {"timeseries", "stat", "heatmap", "table", "text", "row"}
UNITS = {"short", "s", "ops", "reqps", "bytes", "percentunit"}


def panels(board: str) -> list[dict]:
    return boards()[board]["panels"]


def test_what_is_kept_is_what_is_made() -> None:
    assert {path.stem: path.read_text() for path in DASHBOARDS} == {name: text(board) for name, board in BOARDS.items()}


def test_each_is_found_by_a_name_of_its_own() -> None:
    uids = [board["uid"] for board in boards().values()]
    assert len(set(uids)) == len(uids) == 5
    assert uids == [f"shoal-{name}" for name in boards()]
    assert all(board["title"] and board["description"] for board in boards().values())
    assert len({board["title"] for board in boards().values()}) == len(uids)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_the_frame_is_what_grafana_wants(name: str) -> None:
    board = boards()[name]
    assert board["schemaVersion"] >= 39
    assert "id" not in board  # of one installation; with it a provisioned dashboard takes another one's place
    assert board["templating"]["list"][0]["name"] == "datasource"
    assert all(link["type"] == "dashboards" and link["tags"] == board["tags"] for link in board["links"])
    assert board["links"]
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_no_panel_lies_on_another_or_beyond_the_edge(name: str) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in panels(name)]
    for title, at in places:
        assert set(at) == {"x", "y", "w", "h"}, title
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24, title
        assert at["y"] >= 0 < at["h"], title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, (one, other)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_panel_says_what_it_shows_and_of_which_source(name: str) -> None:
    for panel in panels(name):
        assert panel["type"] in KINDS
        if panel["type"] in {"row", "text"}:
            continue
        title = panel["title"]
        assert panel["title"], panel
        assert panel["description"].endswith("."), title
        signs = [target["refId"] for target in panel["targets"]]
        assert len(set(signs)) == len(signs) > 0, title
        for holder in (panel, *panel["targets"]):
            assert holder["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, title
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"]), title


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_panel_has_a_unit_and_its_limits_ascend(name: str) -> None:
    for panel in panels(name):
        if panel["type"] not in {"timeseries", "stat"}:
            continue
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS, panel["title"]
        steps = defaults["thresholds"]["steps"]
        assert steps[0]["value"] is None
        values = [step["value"] for step in steps[1:]]
        assert values == sorted(values), panel["title"]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_variables_that_are_used_can_be_chosen(name: str) -> None:
    chosen = {variable["name"] for variable in boards()[name]["templating"]["list"]}
    for query in queries():
        if query.board == name:
            for variable in ("tenant", "function"):
                assert f"${variable}" not in query.expr or variable in chosen, query.name


def test_links_lead_to_dashboards_that_there_are() -> None:
    uids = {board["uid"] for board in boards().values()}
    found = set()
    for name in boards():
        for panel in panels(name):
            config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
            links = [*config["defaults"].get("links", ())]
            links += [
                link
                for override in config["overrides"]
                for each in override["properties"]
                if each["id"] == "links"
                for link in each["value"]
            ]
            found |= {link["url"].removeprefix("/d/").partition("?")[0] for link in links}
    assert found
    assert found <= uids


def test_columns_of_a_table_are_named() -> None:
    tables = [panel for name in boards() for panel in panels(name) if panel["type"] == "table"]
    assert tables
    for panel in tables:
        organize = next(each for each in panel["transformations"] if each["id"] == "organize")
        assert organize["options"]["renameByName"] == {
            f"Value #{target['refId']}": target["legendFormat"] for target in panel["targets"]
        }
        assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    filled = [
        {"record": f"panel:{number}", "expr": query.expr.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": filled}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(filled)} rules found" in done.stdout


def test_what_is_provisioned_is_where_compose_mounts_it() -> None:
    mounted = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    places = dict(reversed(volume.removesuffix(":ro").split(":")) for volume in mounted)
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    provider = yaml.safe_load((folder / "dashboards" / "shoal.yaml").read_text())["providers"][0]
    assert places[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    for kind in ("dashboards", "datasources"):
        assert places[f"/etc/grafana/provisioning/{kind}"] == f"./deploy/grafana/provisioning/{kind}"
    source = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
