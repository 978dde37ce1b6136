"""Code versions: uploaded, edited, listed, activated."""

import asyncio

import httpx
import pytest

from tests.api.conftest import sentence
from tests.conftest import Deploy


def returns(value: object) -> str:
    return f"def main(params, user_data):\n    return {value!r}"


async def result(client: httpx.AsyncClient, slug: str) -> object:
    ran = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert ran.status_code == 200, ran.text
    return ran.json()["data"]


@pytest.fixture
async def slug(deploy: Deploy) -> str:
    return await deploy(returns(1))


async def test_a_new_version_takes_over_only_when_told(client: httpx.AsyncClient, slug: str):
    path = f"/api/functions/{slug}/code/"
    second = (await client.post(path, json={"version": "2", "code": returns(2)})).json()
    assert second["is_active"] is False
    assert await result(client, slug) == 1
    third = (await client.post(path, json={"version": "3", "code": returns(3), "is_active": True})).json()
    assert third["is_active"] is True
    assert await result(client, slug) == 3
    activated = await client.post(f"/api/functions/code/{second['id']}/activate/")
    assert activated.status_code == 200
    assert activated.json() == {**second, "is_active": True}
    assert await result(client, slug) == 2


async def test_the_first_version_is_active_by_itself(client: httpx.AsyncClient):
    slug = (await client.post("/api/functions/", json={"name": "First Version"})).json()["slug"]
    uploaded = await client.post(f"/api/functions/{slug}/code", json={"version": "1", "code": returns(1)})
    assert uploaded.json()["is_active"] is True
    assert await result(client, slug) == 1


async def test_inactive_on_request(client: httpx.AsyncClient):
    slug = (await client.post("/api/functions/", json={"name": "No Version"})).json()["slug"]
    body = {"version": "1", "code": returns(1), "is_active": False}
    assert (await client.post(f"/api/functions/{slug}/code/", json=body)).json()["is_active"] is False
    ran = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert sentence(ran, 400) == f"Function '{slug}' has no active code version; upload code first"
    edited = await client.patch(f"/api/functions/{slug}/code/", json={"code": returns(2)})
    assert "no active code version" in sentence(edited, 400)


async def test_editing_the_active_version_in_place(client: httpx.AsyncClient, slug: str):
    before = (await client.get(f"/api/functions/{slug}/")).json()["active_code"]
    code = "def main(params, user_data):\n # Updated code\n return {'updated': True}"
    edited = await client.patch(f"/api/functions/{slug}/code/", json={"code": code})
    assert edited.status_code == 200
    assert edited.json()["id"] == before["id"]
    assert await result(client, slug) == {"updated": True}
    shown = (await client.get(f"/api/functions/{slug}/")).json()
    assert shown["active_code"] == {**before, "code": code}
    assert len(shown["code_versions"]) == 1


async def test_list(client: httpx.AsyncClient, slug: str):
    await client.post(f"/api/functions/{slug}/code/", json={"version": "2", "code": returns(2), "is_active": True})
    listed = (await client.get(f"/api/functions/code/?function__slug={slug}")).json()
    assert listed["count"] == 2
    newest, oldest = listed["results"]
    assert list(newest) == ["id", "function", "version", "is_active", "created_at", "created_by_username"]
    assert (newest["version"], newest["is_active"]) == ("2", True)
    assert (oldest["version"], oldest["is_active"]) == ("1.0.0", False)
    everything = (await client.get("/api/functions/code/?page_size=1")).json()
    assert everything["count"] > 2
    assert len(everything["results"]) == 1
    assert (await client.get("/api/functions/code?function__slug=never-seen")).json()["count"] == 0


async def test_a_version_exists_once(client: httpx.AsyncClient, slug: str):
    again = await client.post(f"/api/functions/{slug}/code/", json={"version": "1.0.0", "code": returns(9)})
    assert sentence(again, 400) == "Version '1.0.0' exists already"
    assert await result(client, slug) == 1


async def test_refused_code_says_every_line_and_changes_nothing(client: httpx.AsyncClient, slug: str):
    code = "import os\nx = 1\nopen('/etc/passwd').__class__\ndef main(params, user_data):\n    return 1\n"
    refused = await client.post(f"/api/functions/{slug}/code/", json={"version": "2", "code": code, "is_active": True})
    assert sentence(refused, 400).startswith("Code was refused: line ")
    lines = refused.json()["details"]["code"]
    assert sentence(refused, 400) == f"Code was refused: {'; '.join(lines)}"
    assert (await client.get(f"/api/functions/code/?function__slug={slug}")).json()["count"] == 1
    assert await result(client, slug) == 1


async def test_a_syntax_error_names_its_line(client: httpx.AsyncClient, slug: str):
    refused = await client.post(f"/api/functions/{slug}/code/", json={"version": "2", "code": "def main(:\n  pass"})
    assert sentence(refused, 400).startswith("Code was refused: line 1: ")


async def test_code_without_main_is_accepted_and_fails_when_run(client: httpx.AsyncClient, slug: str):
    body = {"version": "2", "code": "x = 1", "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=body)).status_code == 201
    ran = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert ran.status_code == 500
    assert ran.json()["error"] == "Function execution failed: SandboxError: Code must define a 'main' function"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "x = 1"}, "version"),
        ({"version": "", "code": "x = 1"}, "version"),
        ({"version": "v" * 51, "code": "x = 1"}, "version"),
        ({"version": 1, "code": "x = 1"}, "version"),
        ({"version": "2"}, "code"),
        ({"version": "2", "code": ""}, "code"),
        ({"version": "2", "code": ["x"]}, "code"),
        ({"version": "2", "code": "x = 1", "is_active": "perhaps"}, "is_active"),
    ],
)
async def test_wrong_uploads_are_refused(client: httpx.AsyncClient, slug: str, body: dict, field: str):
    answer = await client.post(f"/api/functions/{slug}/code/", json=body)
    assert sentence(answer, 400).startswith(f"{field}: ")
    assert list(answer.json()["details"]) == [field]


async def test_code_over_the_limit(client: httpx.AsyncClient, slug: str):
    code = "# " + "é" * (1 << 19) + "\n" + returns(1)
    answer = await client.post(f"/api/functions/{slug}/code/", json={"version": "2", "code": code})
    assert sentence(answer, 413) == f"code is {len(code.encode())} bytes; the limit is 1048576 bytes"


async def test_unknown_functions_and_versions(client: httpx.AsyncClient):
    body = {"version": "1", "code": "x = 1"}
    assert (await client.post("/api/functions/never-seen/code/", json=body)).status_code == 404
    assert (await client.patch("/api/functions/never-seen/code/", json={"code": "x = 1"})).status_code == 404
    for id in ("99999999", str(2**63), str(10**30), "-1", "x"):
        assert (await client.post(f"/api/functions/code/{id}/activate/")).status_code == 404, id


async def test_one_of_many_activations_wins(client: httpx.AsyncClient, slug: str):
    path = f"/api/functions/{slug}/code/"
    ids = [
        (await client.post(path, json={"version": str(number), "code": returns(number)})).json()["id"]
        for number in range(4)
    ]
    answers = await asyncio.gather(*(client.post(f"/api/functions/code/{id}/activate/") for id in ids))
    assert {answer.status_code for answer in answers} == {200}
    rows = (await client.get(f"/api/functions/code/?function__slug={slug}")).json()["results"]
    [active] = [row for row in rows if row["is_active"]]
    assert await result(client, slug) == int(active["version"])
