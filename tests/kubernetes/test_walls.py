"""What pods may do, and whom they may speak to."""

from typing import Any

import pytest

from shared.config import SERVICES
from tests.kubernetes.built import Built, container

ALL = sorted(f"shoal-{name}" for name in SERVICES)
JAIL = {"SYS_ADMIN", "SYS_CHROOT", "SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "NET_ADMIN"}


@pytest.mark.parametrize("name", ["single", "cluster"])
def test_every_pod_keeps_to_the_restricted_profile(overlays: dict[str, Built], name: str) -> None:
    built = overlays[name]
    for workload, template in built.workloads():
        pod, own = template["spec"]["securityContext"], container(template)["securityContext"]
        assert pod["runAsNonRoot"], workload
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(template["spec"])
    labels = built.one("Namespace", "shoal")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_full_jail_is_the_executors_alone_and_nobody_on_the_node(overlays: dict[str, Built]) -> None:
    built = overlays["everything"]
    for workload, template in built.workloads():
        own = container(template)["securityContext"]
        if workload != "shoal-executor":
            assert own["capabilities"] == {"drop": ["ALL"]}, workload
            continue
        assert template["spec"]["hostUsers"] is False
        assert own["procMount"] == "Unmasked"
        assert own["allowPrivilegeEscalation"] is False
        assert set(own["capabilities"]["add"]) == JAIL
        assert own["capabilities"]["drop"] == ["ALL"]
        assert template["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    labels = built.one("Namespace", "shoal")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_every_wall_stands_before_somebody(built: Built) -> None:
    for one in built.of("NetworkPolicy"):
        assert built.matched(one["spec"]["podSelector"]), one["metadata"]["name"]
        for direction in ("ingress", "egress"):
            for rule in one["spec"].get(direction, []):
                for peer in rule.get("from", rule.get("to", [])):
                    assert "podSelector" not in peer or built.matched(peer["podSelector"]), one["metadata"]["name"]


def test_what_no_rule_permits_is_refused_to_all(built: Built) -> None:
    nothing = built.one("NetworkPolicy", "shoal-nothing")["spec"]
    assert built.matched(nothing["podSelector"]) == [name for name, _ in built.workloads()]
    assert sorted(nothing["policyTypes"]) == ["Egress", "Ingress"]
    assert not nothing.get("ingress")
    assert not nothing.get("egress")


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("single", ["shoal-executor"]),
        ("cluster", ["shoal-executor"]),
        ("everything", ["shoal-api", "shoal-executor", "shoal-triggers"]),
    ],
)
def test_nobody_reaches_the_outside_but_who_has_to(overlays: dict[str, Built], name: str, outside: list[str]) -> None:
    built = overlays[name]
    reaching: list[str] = []
    for one in built.of("NetworkPolicy"):
        if any("ipBlock" in peer for rule in one["spec"].get("egress", []) for peer in rule["to"]):
            reaching += built.matched(one["spec"]["podSelector"])
    assert sorted(reaching) == outside


def test_services_reach_bus_and_store(built: Built) -> None:
    policy = built.one("NetworkPolicy", "shoal-bus-and-store")["spec"]
    assert built.matched(policy["podSelector"]) == ALL
    bus, store = policy["egress"]
    assert built.matched(bus["to"][0]["podSelector"]) == ["shoal-nats"]
    assert _ports(bus) == [4222]
    assert _ports(store) == [27017]


@pytest.mark.parametrize(
    ("workload", "port", "senders"),
    [("shoal-api", 8000, None), ("shoal-triggers", 8001, ["shoal-api"]), ("shoal-nats", 4222, None)],
)
def test_doors_are_open_to_those_who_come_through_them(
    built: Built, workload: str, port: int, senders: list[str] | None
) -> None:
    found = []
    for one in built.of("NetworkPolicy"):
        if workload in built.matched(one["spec"]["podSelector"]):
            found += [rule for rule in one["spec"].get("ingress", []) if _ports(rule) == [port]]
    (rule,) = found
    if senders is not None:
        assert built.matched(rule["from"][0]["podSelector"]) == senders


def _ports(rule: dict[str, Any]) -> list[int]:
    return [one["port"] for one in rule["ports"]]
