"""`shoal dead` on a running Shoal: what the operator sees of dead letters, and does with them."""

import json
import time

import httpx
import pytest

from shared.bus import broker, streams, subjects
from shared.bus.graveyard import DeadLetter
from tests.api.dead import FAILING, call, dead_letter_of, ended, letters
from tests.conftest import TAX, Deploy
from tests.people import shoal
from tests.platform import Platform
from tests.test_cli import told


async def cured(client: httpx.AsyncClient, slug: str) -> None:
    body = {"version": "2.0.0", "code": TAX, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=body)).status_code == 201


async def test_listed_and_shown(client: httpx.AsyncClient, deploy: Deploy, platform: Platform):
    slug = await deploy(FAILING)
    for number in range(3):
        await call(client, slug, n=number)
    rows = await letters(client, slug, 3)
    listed = await told(platform, "dead", "list", "--function", slug, "--limit", "2")
    assert [row["id"] for row in listed] == [row["id"] for row in rows[:2]]
    shown = await told(platform, "dead", "show", str(rows[0]["id"]))
    assert (shown["task_id"], shown["status"], shown["user"]) == (rows[0]["task_id"], "FAILURE", "admin")
    assert shown["reason"].endswith(f"ValueError: no {shown['params']['n']}")
    code, out, errors = await shoal("dead", "list", "--function", slug, "--limit", "2", data_dir=platform.data_dir)
    assert (code, errors) == (0, "2 of 3: --skip 2 shows the next ones\n")
    assert out.split()[:4] == ["id", "function", "trigger", "attempts"]
    assert out.count(slug) == 2
    assert await told(platform, "dead", "list", "--function", slug, "--skip", "3") == []


async def test_redriven_one_many_and_all(client: httpx.AsyncClient, deploy: Deploy, platform: Platform):
    slug = await deploy(FAILING)
    for number in range(5):
        await call(client, slug, n=number)
    rows = await letters(client, slug, 5)
    await cured(client, slug)
    ids = [str(row["id"]) for row in rows]
    made = await told(platform, "dead", "redrive", ids[0], "--params", '{"amount": 100, "rate": 0.5}')
    assert (await ended(client, made["task_id"]))["result"]["result"]["total"] == 150
    done = await told(platform, "dead", "redrive", ids[1], ids[2])
    assert ([one["id"] for one in done["redriven"]], done["failed"]) == ([int(id) for id in ids[1:3]], [])
    code, out, errors = await shoal("dead", "redrive", "--all", "--function", slug, data_dir=platform.data_dir)
    assert (code, out, errors.count("\n")) == (0, "2 redriven\n", 1)
    assert errors.startswith("shoal: at the store at ")
    assert await letters(client, slug, 0) == []


@pytest.mark.parametrize("id", ["0", "-1", "99999999999999999999999"])
async def test_what_is_no_number_of_a_letter_is_not_found(platform: Platform, id: str):
    code, _, errors = await shoal("dead", "show", id, data_dir=platform.data_dir)
    assert (code, errors) == (1, f"shoal: there is no dead letter {id} in tenant default\n")


async def test_removed(client: httpx.AsyncClient, deploy: Deploy, platform: Platform):
    slug, other = await deploy(FAILING), await deploy(FAILING)
    kept = await dead_letter_of(client, other)
    for _ in range(3):
        await call(client, slug)
    (first, *_) = await letters(client, slug, 3)
    assert await told(platform, "dead", "remove", str(first["id"])) == {"removed": 1}
    refused = await shoal("dead", "remove", "--all", "--function", slug, data_dir=platform.data_dir)
    assert refused[0] == 1
    assert f"2 dead letters of {slug} will be lost" in refused[2]
    assert await told(platform, "dead", "remove", "--all", "--function", slug, "--yes") == {"removed": 2}
    assert [row["id"] for row in await letters(client, other, 1)] == [kept]


async def test_what_stays_says_why(client: httpx.AsyncClient, deploy: Deploy, platform: Platform):
    slug = await deploy(FAILING)
    id = await dead_letter_of(client, slug)
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    code, out, errors = await shoal("dead", "redrive", "--all", "--function", slug, data_dir=platform.data_dir)
    assert (code, out) == (1, "0 redriven\n")
    why = f"Dead letter {id} cannot be redriven: the function '{slug}' was deleted"
    assert errors.partition("\n")[2] == f"shoal: 1 stay:\nshoal: {id}: {why}\n"
    for argv, said in (
        (("redrive", str(id)), why),
        (("redrive", str(id), "--params", "{}"), why),
        (("redrive", str(id), "--params", "[]"), "--params must be a JSON object"),
        (("redrive", "1", "2", "--params", "{}"), "--params are for one letter"),
        (("redrive",), "name the letters by their ids, or say --all, and not both"),
        (("redrive", "1", "--function", "f"), "--function goes with --all"),
        (("show", "999999999"), "there is no dead letter 999999999 in tenant default"),
        (("remove", "999999999"), "there is no dead letter 999999999 in tenant default"),
        (("list", "--tenant", "nowhere"), "Tenant 'nowhere' not found"),
    ):
        code, _, errors = await shoal("dead", *argv, data_dir=platform.data_dir)
        assert (code, errors.endswith(f"{said}\n")) == (1, True), (argv, errors)


async def test_a_deleted_tenants_letters_go_with_it(platform: Platform):
    await told(platform, "tenant", "create", "mourned")
    for _ in range(2):
        await told(platform, "user", "create", "eve", "--tenant", "mourned", "--role", "admin", "--no-password")
        token = (await told(platform, "token", "create", "t", "--user", "eve", "--tenant", "mourned"))["token"]
        async with httpx.AsyncClient(base_url=platform.url, headers={"X-Session-Token": token}, timeout=30) as http:
            assert (await http.get("/api/dead-letters/")).json()["count"] == 0
            body = {"name": "Fails", "execution_mode": "app"}
            assert (await http.post("/api/apps/a/functions/", json=body)).status_code == 201
            code = {"version": "1.0.0", "code": FAILING, "is_active": True}
            assert (await http.post("/api/functions/fails/code/", json=code)).status_code == 201
            await dead_letter_of(http, "fails")
        await told(platform, "tenant", "delete", "mourned", "--yes")
        await told(platform, "tenant", "create", "mourned")


async def test_what_died_after_its_tenant_goes_before_there_is_another_one(platform: Platform):
    await told(platform, "tenant", "create", "early")
    await told(platform, "tenant", "delete", "early", "--yes")
    async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
        letter = DeadLetter(stream="WORK", sequence=1, subject="", reason="E: late", at=time.time(), data=b"")
        await bus.store(subjects.dead("early", "f"), letter, id="late")
        await told(platform, "tenant", "create", "early")
        info = await bus.stream.stream_info(streams.DEAD, subjects_filter=subjects.dead("early", "*"))
    assert not info.state.subjects


async def test_without_a_bus(platform: Platform):
    where = {"MONGODB_URL": platform.ready["mongodb"], "NATS_URL": ""}
    code, out, errors = await shoal("dead", "list", "--json", **where)
    assert (code, out, errors) == (1, "", "shoal: NATS_URL is not set\n")
    code, out, _ = await shoal("dead", "list", "--json", **{**where, "NATS_URL": platform.ready["nats"]})
    assert (code, isinstance(json.loads(out), list)) == (0, True)
