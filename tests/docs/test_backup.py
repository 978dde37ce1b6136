"""docs/backup.md: the folder of a Shoal, packed and unpacked by the page's own commands, is that Shoal."""

import subprocess
from pathlib import Path

from tests.docs.blocks import blocks
from tests.platform import ROOT, Platform, running

HELLO = "def handler(request, ctx):\n    return {'key': ctx.env['KEY']}"


async def deployed(shoal: Platform) -> str:
    async with shoal.client() as http:
        body = {"name": "kept", "runtime": "python", "code": HELLO, "envVars": {"KEY": "sealed"}}
        made = await http.post("/v1/shop/functions", json={**body, "triggers": [{"type": "http"}]})
        assert made.status_code == 200, made.text
        called = await http.post("/api/functions/kept/execute/", json={"params": {}})
        return str(called.json()["task_id"])


def typed(commands: str, folder: Path) -> None:
    subprocess.run(["sh", "-ec", commands], cwd=folder, check=True)


async def test_an_unpacked_folder_is_the_shoal_that_was_packed(tmp_path: Path):
    pack, unpack = (block.text for block in blocks(ROOT, "docs/backup.md")[:2])
    before, after = tmp_path / "before", tmp_path / "after"
    async with running(before / ".shoal") as shoal:
        token, task = shoal.token, await deployed(shoal)
    after.mkdir()
    typed(pack, before)
    (before / "shoal-backup.tar.gz").rename(after / "shoal-backup.tar.gz")
    (before / ".shoal").rename(before / "gone")
    typed(unpack, after)
    async with running(after / ".shoal") as shoal, shoal.client() as http:
        assert shoal.token == token
        result = await http.get(f"/api/functions/result/{task}/")
        assert (result.status_code, result.json()["status"]) == (200, "SUCCESS"), result.text
        again = await http.get("/v1/shop/fn/kept")
        assert again.json() == {"key": "sealed"}
