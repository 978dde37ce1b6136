"""The bus of the manifests: its own program reads what it is given, and its bounds are those of compose.yaml's."""

import subprocess
from pathlib import Path

import pytest

from shared.embedded import binaries
from tests.kubernetes.built import ROOT, Built, container

BOUNDS = ("port", "max_payload", "max_pending", "sync_interval")


@pytest.mark.parametrize("name", ["single", "cluster"])
def test_the_server_takes_its_options_and_its_file(overlays: dict[str, Built], name: str, tmp_path: Path) -> None:
    built = overlays[name]
    server = container(built.one("StatefulSet", "shoal-nats")["spec"]["template"])
    config = tmp_path / "nats.conf"
    config.write_text(built.one("ConfigMap", "shoal-nats")["data"]["nats.conf"])
    options = [
        option.replace("/etc/nats/nats.conf", str(config)).replace("$(POD_NAME)", "shoal-nats-0")
        .replace("$(NATS_PASSWORD)", "0123")
        for option in server["args"]
    ]  # fmt: skip
    program = binaries.runnable(binaries.nats_server(None), copy_to=tmp_path)
    done = subprocess.run([program, "-t", *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert sum("--routes" in option for option in server["args"]) == (name == "cluster")


def test_every_member_is_among_the_routes(overlays: dict[str, Built]) -> None:
    built = overlays["cluster"]
    servers = built.one("StatefulSet", "shoal-nats")
    (routes,) = [one for one in container(servers["spec"]["template"])["args"] if one.startswith("--routes=")]
    peers = servers["spec"]["serviceName"]
    assert built.one("Service", peers)["spec"]["publishNotReadyAddresses"]
    assert [route.rpartition("@")[2] for route in routes.split(",")] == [
        f"shoal-nats-{number}.{peers}:6222" for number in range(servers["spec"]["replicas"])
    ]


def test_its_bounds_are_those_of_the_other_way(overlays: dict[str, Built]) -> None:
    here = overlays["single"].one("ConfigMap", "shoal-nats")["data"]["nats.conf"]
    there = (ROOT / "deploy" / "nats.conf").read_text()
    for name in BOUNDS:
        assert _line(here, name) == _line(there, name)


def _line(text: str, name: str) -> str:
    (found,) = [line.strip() for line in text.splitlines() if line.strip().startswith(f"{name}:")]
    return found
