"""What the manifests say of the services, against the services' own code: settings, ports, probes, ends."""

import base64
import importlib
import re
from typing import Any

import pytest
import yaml

from services.router.lag import Lag
from shared import config
from shared.health import Page
from tests.kubernetes.built import ROOT, Built, Object, container

DOORS = {"api": "SHOAL_API_PORT", "triggers": "SHOAL_TRIGGERS_PORT"}
STOPPING_S = 10.0  # for what comes after the drain: connections are closed, processes ended


def test_every_service_starts_with_the_settings_that_it_is_given(built: Built) -> None:
    for name, template in built.services.items():
        section = getattr(importlib.import_module(f"services.{name}.config"), name.capitalize())
        environ = settings_of(built, template)
        config.refuse_unknown(name, section, environ)
        platform = config.read(config.Platform, prefix="SHOAL_", environ=environ)
        config.read(section, prefix=f"SHOAL_{name.upper()}_", environ=environ)
        assert (platform.health_host, platform.log_format) == ("0.0.0.0", "json")


def test_no_variable_of_kubernetes_own_is_taken_for_a_setting(built: Built) -> None:
    """A Service named shoal-api would set SHOAL_API_PORT=tcp://10.0.0.1:8000 in every pod."""
    for name, template in built.workloads():
        assert template["spec"]["enableServiceLinks"] is False, name
        assert template["spec"]["automountServiceAccountToken"] is False, name


def test_only_those_have_the_keys_who_seal_and_open(built: Built) -> None:
    having = [name for name, template in built.services.items() if "secret.key" in repr(template)]
    assert sorted(having) == ["api", "executor", "triggers"]
    for name in having:
        assert settings_of(built, built.services[name])["SHOAL_SECRET_KEY_FILE"] == "/etc/shoal/secret.key"
    operators = [name for name, template in built.services.items() if "SHOAL_ADMIN_TOKEN" in repr(template)]
    assert operators == ["api"]


def test_ports_are_those_that_the_services_listen_on(built: Built) -> None:
    for name, template in built.services.items():
        environ = settings_of(built, template)
        ports = {one["name"]: str(one["containerPort"]) for one in container(template)["ports"]}
        assert ports.pop("health") == environ["SHOAL_HEALTH_PORT"]
        assert template["metadata"]["annotations"]["prometheus.io/port"] == environ["SHOAL_HEALTH_PORT"]
        assert ports == ({"http": environ[DOORS[name]]} if name in DOORS else {})


async def test_probes_ask_for_what_is_there(built: Built) -> None:
    for name, template in built.services.items():
        one = container(template)
        for kind, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            if kind == "readinessProbe" and name in DOORS:
                assert one[kind]["tcpSocket"] == {"port": "http"}
                assert "httpGet" not in one[kind]
                continue
            assert one[kind]["httpGet"] == {"path": path, "port": "health"}
            status, _, _ = await Page(name)._answer(path)
            assert status != 404
    status, _, _ = await Page("router")._answer("/nowhere")
    assert status == 404


def test_a_pod_is_given_longer_to_end_than_its_service_takes(built: Built) -> None:
    for name, template in built.services.items():
        drain_s = float(settings_of(built, template)["SHOAL_DRAIN_S"])
        _, seconds = (
            container(template).get("lifecycle", {}).get("preStop", {"exec": {"command": ("", "0")}})["exec"]["command"]
        )
        assert template["spec"]["terminationGracePeriodSeconds"] >= drain_s + float(seconds) + STOPPING_S, name
        assert (name in DOORS) == (float(seconds) > 0)
    for one in built.of("Deployment"):
        assert one["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_cluster_keeps_three_copies_and_two_of_each_service(overlays: dict[str, Built]) -> None:
    cluster = overlays["cluster"]
    servers = cluster.one("StatefulSet", "shoal-nats")["spec"]["replicas"]
    for template in cluster.services.values():
        assert settings_of(cluster, template)["SHOAL_STREAM_REPLICAS"] == str(servers) == "3"
    for one in cluster.of("Deployment"):
        if one["metadata"]["name"] == "shoal-executor":
            assert "replicas" not in one["spec"]  # KEDA's to say
        else:
            assert one["spec"]["replicas"] >= 2
    single = overlays["single"]
    assert {one["spec"]["replicas"] for one in single.of("Deployment", "StatefulSet")} == {1}
    assert "SHOAL_STREAM_REPLICAS" not in settings_of(single, single.services["api"])


def test_executors_are_scaled_by_what_a_router_tells(overlays: dict[str, Built]) -> None:
    cluster = overlays["cluster"]
    (scaled,) = cluster.of("ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"] == {"name": cluster.one("Deployment", "shoal-executor")["metadata"]["name"]}
    page = cluster.one("Service", "shoal-router")
    where = f"http://{page['metadata']['name']}.{page['metadata']['namespace']}.svc:{page['spec']['ports'][0]['port']}"
    told = {"work": Lag(None).facts()}  # type: ignore[arg-type]  # it is not asked
    targets = {}
    for trigger in spec["triggers"]:
        assert (trigger["type"], trigger["metadata"]["url"]) == ("metrics-api", f"{where}/healthz")
        assert isinstance(_at(told, trigger["metadata"]["valueLocation"]), int)
        targets[trigger["metadata"]["valueLocation"].rpartition(".")[2]] = int(trigger["metadata"]["targetValue"])
    assert set(targets) == set(told["work"]["pools"])
    executor = importlib.import_module("services.executor.config").Executor
    own = config.read(executor, prefix="SHOAL_EXECUTOR_", environ=settings_of(cluster, cluster.services["executor"]))
    assert targets == {
        "python": 2 * own.slots,
        "javascript": 2 * own.slots,
        "proxy": own.proxy_slots // 2,
        "system": own.system_slots // 2,
    }
    assert 0 < spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]


def test_the_operator_of_prometheus_finds_every_service(overlays: dict[str, Built]) -> None:
    everything = overlays["everything"]
    (monitor,) = everything.of("PodMonitor")
    assert everything.matched(monitor["spec"]["selector"]) == sorted(f"shoal-{name}" for name in config.SERVICES)
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("health", "/metrics")
    compose = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yaml").read_text())
    (shoal,) = [one for one in compose["scrape_configs"] if one["job_name"] == "shoal"]
    labels = {one["targetLabel"]: one.get("replacement") for one in endpoint["relabelings"]}
    assert labels == {"job": shoal["job_name"]} | {one["target_label"]: None for one in shoal["relabel_configs"]}


def settings_of(built: Built, template: Object) -> dict[str, str]:
    """The environment of a service: the image's, the settings', its own."""
    found = dict(re.findall(r"\b(SHOAL_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    one = container(template)
    for source in one["envFrom"]:
        found |= built.one("ConfigMap", source["configMapRef"]["name"])["data"]
    (secret,) = built.of("Secret")
    for variable in one["env"]:
        if "value" in variable:
            found[variable["name"]] = variable["value"]
        else:
            key = variable["valueFrom"]["secretKeyRef"]["key"]
            found[variable["name"]] = base64.b64decode(secret["data"][key]).decode()
    return found


def _at(told: Any, path: str) -> Any:
    for name in path.split("."):
        told = told[name]
    return told


@pytest.mark.parametrize("name", ["work.lag", "work.pools.python"])
def test_the_places_of_the_documentation_are_there(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "kubernetes.md").read_text()
    assert _at({"work": Lag(None).facts()}, name) == 0  # type: ignore[arg-type]  # it is not asked
