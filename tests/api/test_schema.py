"""What the API says of itself is true: schemathesis asks for all of it, well and badly, and finds nothing else."""

import asyncio
import base64
import hashlib
import json
import re
import sys
from pathlib import Path

import httpx
import yaml

from tests.conftest import TAX
from tests.platform import Platform, running

CONFIG = Path(__file__).with_name("schemathesis.toml")
RUN_S = 165.0  # some twenty seconds on a machine that has nothing else to do
EXAMPLES = 10  # for each operation and phase


async def test_the_api_is_as_it_says(tmp_path: Path):
    async with running(tmp_path / "data") as platform:
        async with platform.client() as http:
            (tmp_path / "schemathesis.toml").write_text(CONFIG.read_text() + await _there(http))
        status, output = await _asked_by_schemathesis(platform, tmp_path)
    assert status == 0, output[-20_000:]
    asked = re.search(r"Tested: (\d+)", output)
    assert asked, output[-2000:]
    assert int(asked[1]) > 30


async def _there(http: httpx.AsyncClient) -> str:
    """What there is to be asked for: the function that the description's examples name, and what nobody can guess."""
    made = await http.post("/api/apps/test-app/functions/", json={"name": "Calculate Tax"})
    assert made.status_code == 201, made.text
    body = {"version": "1.0.0", "code": TAX, "is_active": True}
    assert (await http.post("/api/functions/calculate-tax/code/", json=body)).status_code == 201
    called = (await http.post("/api/functions/calculate-tax/execute/", json={})).json()
    values = {"task_id": called["task_id"], "id": called["invocation"]["id"]}
    return "".join(
        f"\n[dictionaries.{name}]\nvalues = [{json.dumps(value)}]\n"
        f'[parameters."path.{name}"]\ndictionary = "{name}"\nprobability = 0.5\n'
        for name, value in values.items()
    )


async def _asked_by_schemathesis(platform: Platform, folder: Path) -> tuple[int, str]:
    program = Path(sys.executable).with_name("schemathesis")
    process = await asyncio.create_subprocess_exec(
        program, "--config-file", "schemathesis.toml", "run", f"{platform.url}/api/schema/",
        "--header", f"Authorization: Bearer {platform.token}", "--max-examples", str(EXAMPLES), "--no-color",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout=RUN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_it_is_read_without_a_token_in_both_forms(platform: Platform):
    async with httpx.AsyncClient(base_url=platform.url) as anyone:
        plain = await anyone.get("/api/schema/")
        asked = await anyone.get("/api/schema", params={"format": "yaml"})
        accepted = await anyone.get("/api/schema/", headers={"Accept": "application/yaml"})
        neither = await anyone.get("/api/schema/", params={"format": "xml"})
    assert plain.headers["content-type"] == "application/json"
    assert asked.headers["content-type"] == accepted.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(asked.text) == yaml.safe_load(accepted.text) == plain.json()
    assert (neither.status_code, set(neither.json()["details"])) == (400, {"format"})
    assert plain.json()["openapi"].startswith("3.1")


async def test_the_page_runs_its_own_script_and_nothing_else(platform: Platform):
    async with httpx.AsyncClient(base_url=platform.url) as anyone:
        page = await anyone.get("/api/docs/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for kind in ("script", "style"):
        (inside,) = re.findall(rf"<{kind}>(.*)</{kind}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)


async def test_null_is_no_filter(client: httpx.AsyncClient):
    for query in ("is_active=null", "page=NULL", "execution_mode=null", "limit=5&limit=null"):
        answer = await client.get(f"/api/functions/?{query}")
        assert answer.status_code == 400, query
    assert (await client.get("/api/functions/?search=null")).status_code == 200


async def test_bodies_are_read_to_the_letter(client: httpx.AsyncClient):
    for field, value in (("is_active", 1), ("is_active", "true"), ("name", 5), ("schedule_enabled", "0")):
        answer = await client.post("/api/functions/", json={"name": "To The Letter", field: value})
        assert answer.status_code == 400, answer.text
        assert list(answer.json()["details"]) == [field]


async def test_what_cannot_be_an_app_is_not_found(client: httpx.AsyncClient):
    assert (await client.get("/api/apps/No%20App/functions/")).status_code == 404
    nobody = await client.get("/api/apps/nobody-made-it/functions/")
    assert json.loads(nobody.content)["count"] == 0
