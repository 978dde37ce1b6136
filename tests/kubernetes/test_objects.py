"""The manifests as Kubernetes reads them: whole, and what they name is there."""

import base64
from typing import Any

import kubernetes_validate
import pytest

from shared.config import SERVICES
from tests.kubernetes.built import Built, Object, container

VERSIONS = ("1.33", "1.37")  # the first with `hostUsers` by default, and the latest whose schemas there are
FOREIGN = {"ScaledObject", "PodMonitor"}  # of KEDA and the Prometheus Operator, which have schemas of their own


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_as_kubernetes_has_it(built: Built, version: str) -> None:
    for one in built.objects:
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, version, strict=True)


def test_the_schemas_refuse_what_is_misspelt(overlays: dict[str, Built]) -> None:
    pod: dict[str, Any] = overlays["single"].of("Deployment")[0]
    wrong = pod | {"spec": pod["spec"] | {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_service_is_there_and_runs_the_same_image(built: Built) -> None:
    assert sorted(built.services) == sorted(SERVICES)
    assert len({container(template)["image"] for template in built.services.values()}) == 1
    for name, template in built.services.items():
        assert container(template)["command"] == ["python", "-m", f"services.{name}"]


def test_names_are_there_once_and_in_one_namespace(built: Built) -> None:
    keys = [(one["kind"], one["metadata"]["name"]) for one in built.objects]
    assert len(keys) == len(set(keys))
    others = {one["metadata"].get("namespace") for one in built.objects if one["kind"] != "Namespace"}
    assert others == {"shoal"}


def test_a_workload_selects_its_own_pods_and_no_other(built: Built) -> None:
    for one in built.of("Deployment", "StatefulSet"):
        assert built.matched(one["spec"]["selector"]) == [one["metadata"]["name"]]
        for spread in one["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert built.matched(spread["labelSelector"]) == [one["metadata"]["name"]]


def test_every_service_of_kubernetes_leads_to_a_port_of_one_workload(built: Built) -> None:
    templates = dict(built.workloads())
    for one in built.of("Service"):
        (name,) = built.matched({"matchLabels": one["spec"]["selector"]})
        named = {port["name"]: port["containerPort"] for port in container(templates[name])["ports"]}
        for port in one["spec"]["ports"]:
            assert named[port["targetPort"]] == port["port"]


def test_every_service_may_lose_one_pod_at_a_time(built: Built) -> None:
    guarded = [name for one in built.of("PodDisruptionBudget") for name in built.matched(one["spec"]["selector"])]
    assert sorted(guarded) == sorted([*(f"shoal-{name}" for name in SERVICES), "shoal-nats"])
    assert all(one["spec"]["maxUnavailable"] == 1 for one in built.of("PodDisruptionBudget"))


def test_every_ingress_leads_to_the_api(overlays: dict[str, Built]) -> None:
    (ingress,) = overlays["everything"].of("Ingress")
    (rule,) = ingress["spec"]["rules"]
    backends = [path["backend"]["service"] for path in rule["http"]["paths"]]
    assert backends == [{"name": "shoal-api", "port": {"name": "http"}}]
    assert [host for tls in ingress["spec"]["tls"] for host in tls["hosts"]] == [rule["host"]]


def test_what_a_pod_refers_to_is_there(built: Built) -> None:
    kept = {("Secret", one["metadata"]["name"]): set(one["data"]) for one in built.of("Secret")}
    kept |= {("ConfigMap", one["metadata"]["name"]): set(one["data"]) for one in built.of("ConfigMap")}
    accounts = {one["metadata"]["name"] for one in built.of("ServiceAccount")}
    for name, template in built.workloads():
        for kind, of, key in _references(template):
            assert (kind, of) in kept, f"{name}: {kind} {of}"
            assert key is None or key in kept[kind, of], f"{name}: {key} of {kind} {of}"
        assert template["spec"]["serviceAccountName"] in accounts
        volumes = {one["name"] for one in template["spec"]["volumes"]}
        volumes |= {one["metadata"]["name"] for one in _claims(built, name)}
        assert {one["name"] for one in container(template)["volumeMounts"]} == volumes


def test_no_secret_is_anywhere_but_in_secrets(built: Built) -> None:
    (secret,) = built.of("Secret")
    words = {base64.b64decode(value).decode() for value in secret["data"].values()}
    passwords = {word for word in words if "/" not in word}
    assert len(passwords) >= 3
    rest = repr([one for one in built.objects if one["kind"] != "Secret"])
    assert [word for word in passwords if word in rest] == []


def _claims(built: Built, name: str) -> list[Object]:
    found = [one for one in built.of("StatefulSet") if one["metadata"]["name"] == name]
    return [claim for one in found for claim in one["spec"]["volumeClaimTemplates"]]


def _references(template: Object) -> list[tuple[str, str, str | None]]:
    """What a pod takes from where: kind, name and key."""
    settings = container(template).get("envFrom", [])
    found: list[tuple[str, str, str | None]] = [("ConfigMap", one["configMapRef"]["name"], None) for one in settings]
    for variable in container(template).get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", {}):
            reference = variable["valueFrom"]["secretKeyRef"]
            found.append(("Secret", reference["name"], reference["key"]))
    for volume in template["spec"]["volumes"]:
        if "secret" in volume:
            found += [("Secret", volume["secret"]["secretName"], item["key"]) for item in volume["secret"]["items"]]
        if "configMap" in volume:
            found.append(("ConfigMap", volume["configMap"]["name"], None))
    return found
