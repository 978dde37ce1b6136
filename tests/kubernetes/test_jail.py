"""The full jail's capabilities, in a user namespace as a pod has one: every layer holds, and functions run."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.kubernetes.built import ROOT, Built, container
from tests.platform import START_S, STOP_S, Platform

IN_POD = Path(__file__).with_name("in_pod.py")
PYTHON = "def handler(request, ctx):\n    return {'ran': 'python'}"
SCRIPT = (
    "export default async function handler(req, ctx) {\n"
    "  const answer = await fetch(ctx.env.PAGE);\n"
    "  return Response.json({ ran: 'javascript', status: answer.status });\n}"
)


def _require_user_namespaces(wrapped: list[str]) -> None:
    tried = subprocess.run([*wrapped, "-c", ""], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no user namespace with many users can be made here (as root it can): {tried.stderr[-200:]}")


@pytest.fixture(scope="module")
async def in_pod(overlays: dict[str, Built], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    added = container(overlays["everything"].services["executor"])["securityContext"]["capabilities"]["add"]
    wrapped = [sys.executable, str(IN_POD), ",".join(added)]
    _require_user_namespaces(wrapped)
    folder = tmp_path_factory.mktemp("pod") / "data"
    folder.mkdir()
    log = folder.with_suffix(".log")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(*wrapped, "-m", "cli", "up", "--port", "0", "--data-dir", str(folder)),
            cwd=ROOT, env=inherited, stdout=output, stderr=output,
        )  # fmt: skip
    platform = Platform(process, folder, log)
    try:
        async with asyncio.timeout(START_S):
            while not (folder / "ready.json").exists():
                assert process.returncode is None, log.read_text()[-3000:]
                await asyncio.sleep(0.05)
        yield platform
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def test_functions_run_behind_every_layer(in_pod: Platform) -> None:
    metrics = str(in_pod.ready["services"]["executor"]["metrics"])
    headers = {"Authorization": f"Bearer {in_pod.token}"}
    async with httpx.AsyncClient(base_url=in_pod.url, headers=headers, timeout=60) as http:
        for name, code, more in (
            ("py", PYTHON, {"runtime": "python"}),
            ("js", SCRIPT, {"envVars": {"PAGE": f"{in_pod.url}/api/docs/"}}),
        ):
            made = await http.post("/v1/pod/functions", json={"name": name, "code": code, **more})
            assert made.status_code == 200, made.text
        opened = await http.patch("/api/functions/js/", json={"config": {"egress": "public"}})
        assert opened.status_code == 200, opened.text
        python, script = [(await http.post(f"/v1/pod/fn/{name}", json={})).json() for name in ("py", "js")]
        page = (await http.get(metrics.replace("/metrics", "/healthz"))).json()
    assert python == {"ran": "python"}
    assert script == {"ran": "javascript", "status": 200}
    for layer in ("seccomp", "namespaces", "chroot", "uid", "rlimits"):
        assert page["python"]["sandbox"][layer] == "on", layer
    for layer in ("seccomp", "namespaces", "network", "uid", "rlimits"):
        assert page["javascript"]["sandbox"][layer] == "on", layer
