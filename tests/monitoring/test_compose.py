"""Prometheus and Grafana in containers: there when asked for, as hardened as the others, and reached by nobody else."""

import re
from typing import Any

import pytest
import yaml

from shared.config import SERVICES
from tests.monitoring.rules import PROMETHEUS, ROOT

OURS = ("prometheus", "grafana")


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_only_who_asks_for_metrics_gets_them() -> None:
    asked = {name for name, service in compose()["services"].items() if service.get("profiles")}
    assert asked == set(OURS)
    assert all(compose()["services"][name]["profiles"] == ["metrics"] for name in OURS)


@pytest.mark.parametrize("name", OURS)
def test_they_are_as_hardened_as_the_services(name: str) -> None:
    services = compose()["services"]
    for setting in ("read_only", "cap_drop", "security_opt", "restart", "logging"):
        assert services[name][setting] == services["recorder"][setting], setting
    assert re.search(r":v?\d+\.\d+\.\d+$", services[name]["image"])
    assert all(volume.endswith(":ro") for volume in services[name]["volumes"] if volume.startswith("./"))
    assert services[name]["healthcheck"]


def test_nothing_but_grafana_is_published_and_that_on_this_machine() -> None:
    services = compose()["services"]
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"proxy", "grafana"}
    assert published["grafana"] == ["${GRAFANA_ADDRESS:-127.0.0.1:3000}:3000"]
    assert services["prometheus"]["networks"] == ["inside"]
    assert compose()["networks"]["inside"] == {"internal": True}


def test_grafana_does_not_start_without_a_password() -> None:
    grafana = compose()["services"]["grafana"]
    assert grafana["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "${GRAFANA_PASSWORD:-}"
    assert 'test -n "$$GF_SECURITY_ADMIN_PASSWORD" || {' in grafana["entrypoint"][-1]


def test_prometheus_looks_for_every_service_where_its_page_is() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    [job] = [job for job in config["scrape_configs"] if job["job_name"] == "shoal"]
    [found] = job["dns_sd_configs"]
    assert sorted(found["names"]) == sorted(SERVICES)
    settings = dict(re.findall(r"(SHOAL_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    assert str(found["port"]) == settings["SHOAL_HEALTH_PORT"]
    assert settings["SHOAL_HEALTH_HOST"] == "0.0.0.0"
    services = compose()["services"]
    for name in SERVICES:
        assert "inside" in services[name].get("networks", services["recorder"]["networks"]), name
        assert not {"SHOAL_HEALTH_PORT", "SHOAL_HEALTH_HOST"} & set(services[name].get("environment", {})), name


def test_its_rules_are_beside_its_configuration() -> None:
    assert "./deploy/prometheus:/etc/prometheus:ro" in compose()["services"]["prometheus"]["volumes"]
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    assert sorted(config["rule_files"]) == ["alerts.yaml", "recording.yaml"]
