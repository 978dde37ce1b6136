"""The command line on a running Shoal: what the operator does, and what he is told."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_deletion import until_quiet
from tests.hooks import Received, response, serving
from tests.people import PASSWORD, shoal
from tests.platform import Platform


async def told(platform: Platform, *argv: str, typed: str = "") -> Any:
    """What a command answers a program."""
    code, out, errors = await shoal(*argv, "--json", data_dir=platform.data_dir, typed=typed)
    assert (code, errors) == (0, "")
    return json.loads(out)


async def test_a_tenant_and_its_first_administrator(platform: Platform):
    made = await told(platform, "tenant", "create", "first", "--name", "First & Co")
    assert (made["slug"], made["name"], made["is_active"]) == ("first", "First & Co", True)
    user = await told(
        platform, "user", "create", "Ada", "--tenant", "first", "--role", "admin", "--password-stdin", typed=PASSWORD
    )
    assert (user["username"], user["role"], user["tenant"]) == ("ada", "admin", "first")
    assert "password_hash" not in user
    async with httpx.AsyncClient(base_url=platform.url) as http:
        body = {"username": "ada", "password": PASSWORD, "tenant": "first"}
        pair = (await http.post("/api/auth/jwt/token/", json=body)).json()
        headers = {"Authorization": f"Bearer {pair['access']}"}
        assert (await http.post("/api/users/", json={"username": "second"}, headers=headers)).status_code == 201


async def test_what_is_changed_holds_at_once(platform: Platform):
    await told(platform, "tenant", "create", "swift")
    await told(platform, "user", "create", "ben", "--tenant", "swift", "--no-password")
    token = await told(platform, "token", "create", "ci", "--user", "ben", "--tenant", "swift", "--days", "1")
    async with httpx.AsyncClient(base_url=platform.url, headers={"X-Session-Token": token["token"]}) as http:

        async def may(method: str, path: str) -> int:
            return (await http.request(method, path, json={})).status_code

        assert await may("GET", "/api/users/") == 403
        await told(platform, "user", "set-role", "ben", "admin", "--tenant", "swift")
        assert await may("GET", "/api/users/") == 403  # the token was made for less
        for command, expected in (("disable", 401), ("enable", 200)):
            await told(platform, "user", command, "ben", "--tenant", "swift")
            assert await may("GET", "/api/users/me/") == expected
        await told(platform, "user", "set-password", "ben", "--tenant", "swift", "--password-stdin", typed=PASSWORD)
        assert await may("GET", "/api/users/me/") == 200
        await told(platform, "token", "revoke", str(token["id"]), "--tenant", "swift")
        assert await may("GET", "/api/users/me/") == 401


async def test_limits_of_a_tenant(platform: Platform):
    await told(platform, "tenant", "create", "bounded")
    limits = ("--limit", "timeout_s=2.5", "--limit", "memory_mb=96")
    assert (await told(platform, "tenant", "set", "bounded", *limits))["limits"] == {"timeout_s": 2.5, "memory_mb": 96}
    assert (await told(platform, "tenant", "set", "bounded", "--limit", "timeout_s="))["limits"] == {"memory_mb": 96}
    assert (await told(platform, "tenant", "show", "bounded"))["limits"] == {"memory_mb": 96}
    rates = await told(platform, "tenant", "set", "bounded", "--rate", "execution=5", "--rate", "other=0")
    assert rates["rate_limits"] == {"execution": 5, "other": 0}
    code, _, errors = await shoal("tenant", "set", "bounded", "--rate", "execution=1.5", data_dir=platform.data_dir)
    assert (code, "whole number of requests a minute" in errors) == (1, True)


async def test_a_deleted_tenant_leaves_nothing(platform: Platform):
    await told(platform, "tenant", "create", "gone")
    await told(platform, "user", "create", "eve", "--tenant", "gone", "--role", "admin", "--no-password")
    token = (await told(platform, "token", "create", "t", "--user", "eve", "--tenant", "gone"))["token"]
    async with httpx.AsyncClient(base_url=platform.url, headers={"X-Session-Token": token}) as http:
        assert (await http.post("/api/apps/a/functions/", json={"name": "Left"})).status_code == 201
        code, _, errors = await shoal("tenant", "delete", "gone", data_dir=platform.data_dir)
        assert (code, errors.count("\n")) == (1, 1)
        assert errors.startswith("shoal: Everything that gone has will be lost, at the store at 127.0.0.1:")
        assert errors.endswith("; say --yes if that is what you want\n")
        await told(platform, "tenant", "delete", "gone", "--yes")
        assert (await http.get("/api/functions/")).status_code == 401
        assert "gone" not in [row["slug"] for row in await told(platform, "tenant", "list")]
        await told(platform, "tenant", "create", "gone")
        await told(platform, "user", "create", "eve", "--tenant", "gone", "--no-password")
        assert (await http.get("/api/functions/")).status_code == 401
    assert await told(platform, "app", "list", "--tenant", "gone") == []


async def test_what_a_deleted_tenant_had_under_way_is_not_shown_to_the_next_of_its_name(platform: Platform):
    async def fresh() -> dict[str, str]:
        await told(platform, "tenant", "create", "twice")
        await told(platform, "user", "create", "eve", "--tenant", "twice", "--role", "admin", "--no-password")
        token = (await told(platform, "token", "create", "t", "--user", "eve", "--tenant", "twice"))["token"]
        return {"X-Session-Token": token}

    released = asyncio.Event()

    async def held(_: Received, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.write(response())

    async with serving() as hook, httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        hook.answer = held
        former = await fresh()
        body = {"name": "Held", "execution_mode": "proxy", "webhook_url": hook.url}
        assert (await http.post("/api/apps/a/functions/", json=body, headers=former)).status_code == 201
        body = {"name": "p", "steps": [{"function": "held"}]}
        assert (await http.post("/api/pipelines/", json=body, headers=former)).status_code == 201
        job = {"params": {"pipeline": "p", "input": {"of": "the former"}}, "async": True}
        path = "/api/functions/data_processing_job/execute/"
        asked = (await http.post(path, json=job, headers=former)).json()
        async with asyncio.timeout(30):
            while not hook.received:
                await asyncio.sleep(0.02)
        await told(platform, "tenant", "delete", "twice", "--yes")
        headers = await fresh()
        released.set()
        await until_quiet(platform, "twice")
        own = (await http.post("/api/functions/example/execute/", json={}, headers=headers)).json()["task_id"]
        listed = (await http.get("/api/invocations/", headers=headers)).json()["results"]
        assert [row["celery_task_id"] for row in listed] == [own]
        for gone in (f"/api/functions/result/{asked['task_id']}/", f"/api/invocations/{asked['invocation']['id']}/"):
            assert (await http.get(gone, headers=headers)).status_code == 404


async def test_tables_for_people(platform: Platform):
    assert (await told(platform, "app", "create", "for-people"))["name"] == "For People"
    code, out, _ = await shoal("app", "list", data_dir=platform.data_dir)
    assert code == 0
    assert out.splitlines()[0].split() == ["id", "slug", "name", "created", "at"]
    assert any("for-people" in line and "For People" in line for line in out.splitlines())
    code, out, _ = await shoal("user", "create", "dan", "--no-password", data_dir=platform.data_dir)
    assert out == "User dan is made in tenant default\n"
    code, out, _ = await shoal("token", "create", "t", "--user", "dan", data_dir=platform.data_dir)
    assert out.startswith("shoal_")
    assert out.count("\n") == 1
    code, listed, _ = await shoal("token", "list", "--user", "dan", data_dir=platform.data_dir)
    assert out.strip() not in listed


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("user", "create", "x", "--tenant", "nowhere", "--no-password"), "Tenant 'nowhere' not found"),
        (
            ("user", "create", "admin", "--no-password"),
            "username 'admin' is the operator's own here; choose another one",
        ),
        (("user", "create", "x"), "there is no terminal to ask for the password: send it with --password-stdin"),
        (("user", "create", "x", "--password-stdin"), "password must have 10 to 500 characters"),
        (("user", "disable", "nobody"), "there is no user 'nobody' in tenant default"),
        (("token", "create", "t", "--user", "nobody"), "there is no user 'nobody' in tenant default"),
        (("token", "revoke", "999999999"), "Token with id 999999999 not found"),
        (("tenant", "create", "Not A Slug"), "slug must be 1 to 50 characters: words of a-z and 0-9, joined by -"),
        (("tenant", "set", "default", "--limit", "timeout_s"), "--limit must be like name=60, got 'timeout_s'"),
        (("tenant", "delete", "default", "--yes"), "the tenant default is the operator's own and stays"),
    ],
)
async def test_what_cannot_be_done_is_one_line(platform: Platform, argv: tuple[str, ...], said: str):
    code, out, errors = await shoal(*argv, data_dir=platform.data_dir)
    told = [line for line in errors.splitlines() if not line.startswith("shoal: at the store at ")]
    assert (code, out, told) == (1, "", [f"shoal: {said}"])


async def test_what_is_not_understood_is_told_apart(platform: Platform):
    for argv, said in (
        (("user", "create"), 'Command "user create" parameter USERNAME requires an argument.'),
        (("tenant", "set", "default", "--limits", "1"), "Unknown option: --limits."),
        (("nothing",), 'Unknown command "nothing". Available commands: app, audit,'),
        (("nothing", "--help"), 'Unknown command "nothing". Available commands: app, audit,'),
        (("context", "ad", "--json"), 'Unknown command "ad". Did you mean "add"?'),
        (("up", "--prot", "1"), "Unknown option: --prot. Did you mean --port?"),
        (("ps", "--json", "a\nb" * 100), "Unused Tokens: "),
        (("dead", "list", "--json", "--limit", "x"), 'Invalid value for --limit: unable to convert "x" into int.'),
    ):
        code, out, errors = await shoal(*argv)
        assert (code, out) == (2, ""), argv
        assert errors.startswith(f"shoal: {said}"), argv
        assert errors.count("\n") == 1, argv


async def test_without_a_running_shoal(tmp_path: Path):
    code, out, errors = await shoal("user", "list", data_dir=tmp_path)
    assert (code, out) == (1, "")
    assert errors.startswith(f"shoal: nothing runs on data folder {tmp_path}: start `shoal up`")


async def test_by_address_and_with_no_service_to_tell(platform: Platform):
    """As in containers; the bus that is not there costs a line, not the change."""
    where = {"MONGODB_URL": platform.ready["mongodb"], "NATS_URL": "", "SHOAL_MONGODB_DATABASE": "fresh"}
    code, out, errors = await shoal("user", "create", "zoe", "--no-password", "--json", **where)
    assert (code, json.loads(out)["id"], errors) == (0, 2, "")
    code, out, errors = await shoal("user", "disable", "zoe", "--json", **where)
    assert (code, json.loads(out)["is_active"]) == (0, False)
    assert errors == "shoal: done, but running services learn of it only within 30 s: NATS_URL is not set\n"


async def test_help_imports_no_command():
    code, out, _ = await shoal("--help")
    assert code == 0
    for name in ("up", "tenant", "app", "user", "token"):
        assert f" {name} " in out
