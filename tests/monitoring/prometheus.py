"""A real Prometheus that scrapes a running Shoal as docs/monitoring.md has it, every second."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.monitoring.rules import ROOT

START_S = 30.0
_LISTENING = re.compile(rb'msg="Listening on" address=(\S+)')


class Prometheus:
    """Asked over its HTTP API."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, what: str, **params: str) -> Any:
        """The `data` of an answer."""
        answer = await self._http.post(f"/api/v1/{what}", data=params)
        assert answer.status_code == 200, (params, answer.text)
        return answer.json()["data"]

    async def rules(self) -> list[dict[str, Any]]:
        answer = (await self._http.get("/api/v1/rules")).json()["data"]
        return [rule for group in answer["groups"] for rule in group["rules"]]

    async def values(self, expr: str) -> list[float]:
        """What an expression is now; what is not a number is left out."""
        data = await self.ask("query", query=expr)
        found = [data["result"]] if data["resultType"] == "scalar" else [each["value"] for each in data["result"]]
        return [float(value) for _, value in found if not math.isnan(float(value))]


def documented() -> dict[str, Any]:
    """The configuration that the page shows for a `shoal up`."""
    [block] = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "monitoring.md").read_text(), re.DOTALL)
    config: dict[str, Any] = yaml.safe_load(block)
    return config


@asynccontextmanager
async def scraping(folder: Path, targets: Path) -> AsyncIterator[Prometheus]:
    """Run Prometheus on a free port for as long as the block runs; `targets` is what `shoal up` writes."""
    folder.mkdir()  # noqa: ASYNC240 - once, before anything runs
    config = documented()
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / name) for name in config["rule_files"]]
    [job] = config["scrape_configs"]
    [found] = job["file_sd_configs"]
    assert found["files"] == [f".shoal/{targets.name}"]  # what the page calls by the name of the folder as it is
    found["files"] = [str(targets)]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    log = folder / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            "prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage", stdout=output, stderr=output,
        )  # fmt: skip
    try:
        async with asyncio.timeout(START_S):
            while not (told := _LISTENING.search(log.read_bytes())):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        async with httpx.AsyncClient(base_url=f"http://{told[1].decode()}", timeout=START_S) as http:
            yield Prometheus(http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
