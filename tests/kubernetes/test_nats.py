"""The bus of the manifests: its own program reads what it is given, and its bounds are those of compose.yaml's."""

import asyncio
import re
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import nats
import pytest
from nats.js.api import StreamConfig

from shared import embedded
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


async def test_three_servers_with_these_options_are_a_cluster(overlays: dict[str, Built], tmp_path: Path) -> None:
    """As the pods are, but for their addresses, which are ports of one machine here."""
    built = overlays["cluster"]
    server = container(built.one("StatefulSet", "shoal-nats")["spec"]["template"])
    text = built.one("ConfigMap", "shoal-nats")["data"]["nats.conf"]
    ports = {kind: [embedded.free_port() for _ in range(3)] for kind in ("client", "cluster", "monitor")}
    async with AsyncExitStack() as stack:
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            config = folder / "nats.conf"
            config.write_text(text.replace("/data", str(folder)).replace("/var/run/nats", str(folder)))
            options = [_here(option, config, number, ports["cluster"]) for option in server["args"]]
            own = ["-a", "127.0.0.1", "-p", str(ports["client"][number]), "-m", str(ports["monitor"][number])]
            program = binaries.runnable(binaries.nats_server(None), copy_to=folder)
            process = await embedded.spawn([program, *options, *own])
            stack.push_async_callback(embedded.end, process, within_s=10)
        probe = server["startupProbe"]["httpGet"]["path"]
        await _healthy([f"http://127.0.0.1:{port}{probe}" for port in ports["monitor"]])
        client = await nats.connect(f"nats://shoal:0123@127.0.0.1:{ports['client'][0]}")
        stack.push_async_callback(client.close)
        made = await client.jetstream().add_stream(StreamConfig(name="TRY", subjects=["try"], num_replicas=3))
        assert made.cluster is not None
        assert made.cluster.name == "shoal"
        names = {made.cluster.leader, *(peer.name for peer in made.cluster.replicas or [])}
        assert names == {"shoal-nats-0", "shoal-nats-1", "shoal-nats-2"}


def _here(option: str, config: Path, number: int, ports: list[int]) -> str:
    """An option of a pod, with the addresses of this machine."""
    option = option.replace("/etc/nats/nats.conf", str(config)).replace("$(NATS_PASSWORD)", "0123")
    option = option.replace("$(POD_NAME)", f"shoal-nats-{number}").replace("0.0.0.0:6222", f"127.0.0.1:{ports[number]}")
    return re.sub(r"shoal-nats-(\d)\.shoal-nats-peers:6222", lambda one: f"127.0.0.1:{ports[int(one[1])]}", option)


async def _healthy(pages: list[str]) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as http:
        for page in pages:
            while True:
                try:
                    if (await http.get(page)).status_code == 200:
                        break
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)


def test_its_bounds_are_those_of_the_other_way(overlays: dict[str, Built]) -> None:
    here = overlays["single"].one("ConfigMap", "shoal-nats")["data"]["nats.conf"]
    there = (ROOT / "deploy" / "nats.conf").read_text()
    for name in BOUNDS:
        assert _line(here, name) == _line(there, name)


def _line(text: str, name: str) -> str:
    (found,) = [line.strip() for line in text.splitlines() if line.strip().startswith(f"{name}:")]
    return found
