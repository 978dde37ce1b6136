"""Every command over HTTP on a running Shoal: as a table and in JSON, and how it ends."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from cli import exits
from tests.api.dead import FAILING, call, dead_letter_of, ended, letters
from tests.cli.conftest import Ask, Made
from tests.hooks import Received, always, response, serving
from tests.platform import Platform

ONE = "def main(params, c):\n print('printed', params)\n return {'got': params}"
FAILS = "def main(params, c):\n raise ValueError('not today')"
SLOW = "def main(params, c):\n import time\n time.sleep(60)"


async def test_ps(ask: Ask, made: Made, client: httpx.AsyncClient):
    app = await made.app({"one": ONE, "two": FAILS})
    await client.patch(f"/api/functions/one-{app}/", json={"cron_expression": "0 0 1 1 *", "schedule_enabled": True})
    assert (await ask("invoke", "two", "--app", app)).code == exits.FUNCTION_FAILED
    rows = (await ask("ps", "--app", app, "--json")).json
    assert [(row["name"], row["slug"], row["schedule"]) for row in rows] == [
        ("one", f"one-{app}", "0 0 1 1 *"),
        ("two", f"two-{app}", None),
    ]
    table = await ask("ps", "--app", app)
    head = ["name", "status", "calls", "day", "per", "min", "errors", "p50", "p95", "last", "schedule"]
    assert table.out.split()[: len(head)] == head
    assert "0 0 1 1 *" in table.out
    assert {row["app"] for row in (await ask("ps", "--all", "--json")).json} >= {app}


async def test_ps_tells_how_many_calls_a_minute_there_were(ask: Ask):
    metrics = {
        "total_invocations": 9000, "invocations_24h": 3600, "error_rate_24h": 0.0, "p50_duration_ms": 1.0,
        "p95_duration_ms": 2.0, "last_invocation": None,
    }  # fmt: skip
    row = {"name": "f", "slug": "f", "status": "active", "triggers": [], "metrics": metrics}
    rare = {**row, "name": "g", "slug": "g", "metrics": {**metrics, "invocations_24h": 20}}
    async with serving() as hook:
        hook.answer = always(response(200, json.dumps({"functions": [row, rare], "hasMore": False}).encode()))
        said = await ask("ps", SHOAL_URL=hook.url, SHOAL_DATA_DIR="")
    assert (said.code, len(hook.received)) == (exits.DONE, 1)
    assert said.out.splitlines()[1].split() == ["f", "active", "9000", "3600", "2.5", "0%", "1", "2", "-", "-"]
    assert said.out.splitlines()[2].split()[:5] == ["g", "active", "9000", "20", "0.01"]


async def test_invoke_prints_the_result(ask: Ask, made: Made, tmp_path: Path):
    app = await made.app({"one": ONE, "text": "def main(params, c):\n return 'a\\x1b[31mb'"})
    assert json.loads((await ask("invoke", "one", "--app", app)).out) == {"got": {}}
    said = await ask("invoke", "one", "--app", app, "--params", '{"a": 1}', "--lines")
    assert (json.loads(said.out), said.errors) == ({"got": {"a": 1}}, "printed {'a': 1}\n")
    (tmp_path / "params.json").write_text('{"b": 2}')
    said = await ask("invoke", "one", "--app", app, "--params", f"@{tmp_path / 'params.json'}", "--json")
    assert (said.json["status"], said.json["result"], said.json["stdout"]) == (
        "SUCCESS",
        {"got": {"b": 2}},
        "printed {'b': 2}\n",
    )
    assert json.loads((await ask("invoke", "one", "--app", app, "--params", "-", typed='{"c": 3}')).out) == {
        "got": {"c": 3}
    }
    assert (await ask("invoke", "text", "--app", app)).out == "a\\x1b[31mb\n"  # it does not drive the terminal
    keyed = ("invoke", "one", "--app", app, "--idempotency-key", "k", "--json", "--params", '{"d": 4}')
    assert (await ask(*keyed)).json["task_id"] == (await ask(*keyed)).json["task_id"]


async def test_what_fails_is_told_and_its_exit_code(ask: Ask, made: Made):
    app = await made.app({"fails": FAILS})
    said = await ask("invoke", "fails", "--app", app)
    assert (said.code, said.out) == (exits.FUNCTION_FAILED, "")
    assert said.errors.startswith("shoal: FAILURE: ")
    assert "not today" in said.errors
    assert said.errors.count("\n") == 1
    said = await ask("invoke", "fails", "--app", app, "--json")
    assert (said.code, said.errors) == (exits.FUNCTION_FAILED, "")
    assert json.loads(said.out)["status"] == "FAILURE"
    assert "ValueError" in json.loads(said.out)["traceback"]


@pytest.mark.parametrize(
    "result",
    [
        {"stdout": "printed?", "result": 1},
        {"stdout": "printed?", "stderr": "", "result": None, "logs": [{"level": "error"}], "success": False},
        {"task_id": "another", "status": "FAILURE", "error": "no", "detail": "no", "traceback": "no", "response": 7},
        {"task_result": {"task_id": "another", "status": "FAILURE", "result": "no"}},
    ],
)
async def test_what_a_function_returns_is_its_result_whatever_it_looks_like(ask: Ask, made: Made, result: object):
    app = await made.app({"same": "def main(params, c):\n print('printed')\n return params['returned']"})
    said = ("invoke", "same", "--app", app, "--params", json.dumps({"returned": result}))
    called = (await ask(*said, "--json")).json
    assert (called["status"], called["error"], called["result"], called["stdout"]) == (
        "SUCCESS",
        None,
        result,
        "printed\n",
    )
    people = await ask(*said, "--lines")
    assert (people.code, json.loads(people.out), people.errors) == (exits.DONE, result, "printed\n")
    number = (await ask("logs", "same", "--app", app, "--json")).json[-1]["id"]
    for task in (called["task_id"], number):
        found = (await ask("result", task, "--wait", "30", "--json")).json
        assert {**found, "date_done": None} == called


async def test_what_does_not_wait_is_asked_for_and_cancelled(ask: Ask, made: Made):
    app = await made.app({"slow": SLOW, "one": ONE})
    said = await ask("invoke", "slow", "--app", app, "--async")
    assert said.code == exits.DONE
    task = said.out.strip()
    assert (await ask("result", task)).code == exits.NOT_YET
    waited = await ask("invoke", "slow", "--app", app, "--wait", "0.2", "--json")
    assert waited.code == exits.NOT_YET
    second = json.loads(waited.out)["task_id"]
    rows = (await ask("cancel", task, second, "--json")).json
    assert [(row["task_id"], row["status"]) for row in rows] == [(task, "CANCELLED"), (second, "CANCELLED")]
    said = await ask("result", str(rows[0]["id"]), "--wait", "20")
    assert (said.code, said.out) == (exits.FUNCTION_FAILED, "")
    assert "CANCELLED" in said.errors
    again = await ask("cancel", "nothing", task)
    assert again.code == exits.NOT_FOUND
    assert task in again.out
    done = await ask("invoke", "one", "--app", app, "--wait", "30")
    assert json.loads(done.out) == {"got": {}}


async def test_logs(ask: Ask, made: Made):
    app = await made.app({"one": ONE, "fails": FAILS})
    for number in (1, 2):
        await ask("invoke", "one", "--app", app, "--params", f'{{"n": {number}}}')
    entries = (await ask("logs", "one", "--app", app, "--json")).json
    assert [entry["consoleLogs"][0]["message"] for entry in entries] == ["printed {'n': 2}", "printed {'n': 1}"]
    out = (await ask("logs", "one", "--app", app, "--since", "1h")).out
    assert out.index("'n': 1") < out.index("'n': 2")
    assert "printed" not in (await ask("logs", "one", "--app", app, "--no-lines")).out
    assert (await ask("logs", "one", "--app", app, "--limit", "1", "--json")).json == entries[:1]
    assert (await ask("logs", "one", "--app", app, "--level", "error", "--json")).json == []


async def test_lines_that_are_not_kept_are_named_with_their_call(ask: Ask, made: Made):
    app = await made.app({"loud": "def main(params, c):\n for i in range(20000): print(i)", "one": ONE})
    assert (await ask("invoke", "loud", "--app", app)).code == exits.DONE
    [entry] = (await ask("logs", "loud", "--app", app, "--json")).json
    assert entry["warnings"]
    said = await ask("logs", "loud", "--app", app)
    named = [f"shoal: gap: lines of {entry['task_id']}: {warning}" for warning in entry["warnings"]]
    assert (said.code, said.errors.splitlines()) == (exits.DONE, named)
    assert (await ask("logs", "loud", "--app", app, "--no-lines")).errors == ""
    await ask("invoke", "one", "--app", app)
    assert (await ask("logs", "one", "--app", app)).errors == ""


async def test_lines_that_are_not_kept_are_named_before_what_is_followed(ask: Ask):
    entry = {
        "id": 1, "task_id": "t", "trigger": "http", "timestamp": "2026-01-06T09:00:00Z", "method": "POST", "path": "/",
        "status_code": 200, "duration_ms": 1.0, "error": None, "consoleLogs": [], "warnings": ["a\nb", "c"],
    }  # fmt: skip

    async def answer(received: Received, writer: asyncio.StreamWriter) -> None:
        streams = sum("/stream" in one.path for one in hook.received)
        if "/stream" not in received.path:
            writer.write(response(200, json.dumps({"logs": [entry], "hasMore": False}).encode()))
        elif streams == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: here\n\n")
        else:
            writer.write(response(401, b'{"error": "not any more"}'))
        await writer.drain()
        writer.close()

    async with serving() as hook:
        hook.answer = answer
        where = {"SHOAL_URL": hook.url, "SHOAL_DATA_DIR": ""}
        said = await ask("logs", "f", "-f", "--since", "1h", **where)
    assert said.code == exits.FORBIDDEN
    assert said.errors.splitlines()[:2] == ["shoal: gap: lines of t: a b", "shoal: gap: lines of t: c"]


async def test_deploy_a_file(ask: Ask, client: httpx.AsyncClient, tmp_path: Path):
    file = tmp_path / "greet.py"
    file.write_text(ONE)
    app = "cli-deployed"
    said = await ask("deploy", file, "--app", app)
    assert (said.code, said.errors) == (
        exits.NOT_FOUND,
        "shoal: there is no app 'cli-deployed' (--create-app makes it)\n",
    )
    dry = (await ask("deploy", file, "--app", app, "--create-app", "--dry-run", "--json")).json
    assert (dry["action"], dry["url"]) == ("create", None)
    assert (await client.get(f"/v1/{app}/functions")).status_code == 404
    settings = ("--timeout", 5, "--memory", 96, "--retries", 2, "--schedule", "0 0 1 1 *", "--timezone", "Asia/Tokyo")
    first = ("deploy", file, "--app", app, "--create-app", *settings, "--env", "A=1", "--secret", "B")
    deployed = (await ask(*first, "--json", B="hidden")).json
    assert (deployed["action"], deployed["url"].endswith("/fn/greet")) == ("create", True)
    found = (await client.get(f"/v1/{app}/functions/greet")).json()
    assert (found["timeoutMs"], found["memoryLimitMb"], found["envKeys"]) == (5000, 96, ["A", "B"])
    config = (await client.get(f"/api/functions/{found['slug']}/")).json()["config"]
    assert config["max_retries"] == 2
    assert (await ask("deploy", file, "--app", app, "--json")).json["action"] == "same"
    file.write_text(ONE.replace("printed", "changed"))
    said = await ask("deploy", file, "--app", app, "--auth", "none")
    assert said.out.startswith("greet changed (code, triggers) http")
    kept = (await client.get(f"/v1/{app}/functions/greet")).json()
    assert (kept["timeoutMs"], kept["envKeys"]) == (5000, ["A", "B"])  # what is not said stays
    assert {trigger["type"]: trigger["config"] for trigger in kept["triggers"]} == {
        "http": {"auth": "none"},
        "cron": {"schedule": "0 0 1 1 *", "timezone": "Asia/Tokyo"},
    }


async def test_deploy_a_folder(ask: Ask, client: httpx.AsyncClient, tmp_path: Path):
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "two.ts").write_text("export default async (r: Request): Promise<Response> => Response.json(2);")
    (tmp_path / "notes.txt").write_text("no function")
    rows = (await ask("deploy", tmp_path, "--app", "cli-folder", "--create-app", "--json")).json
    assert [(row["name"], row["action"]) for row in rows] == [("one", "create"), ("two", "create")]
    (tmp_path / "shoal.toml").write_text(
        'app = "cli-folder"\n[functions.one]\ntimeout_s = 7\nenv = {REGION = "eu"}\n'
        '[functions.broken]\nfile = "broken.py"\n[functions.second]\nfile = "two.ts"\nschedule = "@daily"\n'
    )
    (tmp_path / "broken.py").write_text("def main(:\n")
    said = await ask("deploy", tmp_path, "--json")
    assert said.code == exits.REFUSED
    assert [(row["name"], row["action"]) for row in json.loads(said.out)] == [
        ("one", "change"),
        ("broken", "failed"),
        ("second", "create"),
    ]
    assert (await client.get("/v1/cli-folder/functions/one")).json()["timeoutMs"] == 7000
    people = await ask("deploy", tmp_path)
    assert people.code == exits.REFUSED
    assert people.errors.startswith("shoal: broken: ")
    assert people.errors.count("\n") == 1


async def test_env(ask: Ask, made: Made, tmp_path: Path):
    app = await made.app({"one": ONE})
    on = ("--function", "one", "--app", app)
    assert (await ask("env", "set", "A=1", "B=2", *on, "--json")).json == {"keys": ["A", "B"]}
    said = await ask("env", "set", "C", "--stdin", *on, typed="very secret\n")
    assert "very secret" not in said.out + said.errors
    (tmp_path / ".env").write_text("# a comment\n\nexport D='four'\nE=5=5\n")
    assert (await ask("env", "import", tmp_path / ".env", *on, "--json")).json["keys"] == ["A", "B", "C", "D", "E"]
    assert (await ask("env", "unset", "A", "B", *on)).out == f"one of app {app} has the variables C, D, E\n"
    assert (await ask("env", "list", *on, "--json")).json == [{"name": "C"}, {"name": "D"}, {"name": "E"}]
    said = await ask("env", "unset", "NOPE", *on)
    told = f"shoal: one of app {app} has no variable 'NOPE'\n"
    assert (said.code, said.out, said.errors) == (exits.NOT_FOUND, "", told)
    said = await ask("env", "unset", "C", "NOPE", *on, "--json")
    assert (said.code, json.loads(said.out), said.errors) == (exits.NOT_FOUND, {"keys": ["D", "E"]}, told)
    assert (await ask("env", "set", "R=eu", "--app", app)).out == f"app {app} has the variables R\n"
    assert (await ask("env", "list", "--app", app)).out.split() == ["name", "R"]


async def test_schedule(ask: Ask, made: Made):
    app = await made.app({"one": ONE})
    on = ("--app", app)
    said = (await ask("schedule", "set", "one", "0 9 * * 1-5", "--timezone", "Europe/Berlin", *on, "--json")).json
    assert (said["enabled"], said["timezone"], len(said["next_runs"])) == (True, "Europe/Berlin", 5)
    assert [row["function"] for row in (await ask("schedule", "list", *on, "--json")).json] == [f"one-{app}"]
    assert len((await ask("schedule", "next", "one", *on, "--json")).json) == 5
    assert "enabled          no" in (await ask("schedule", "pause", "one", *on)).out
    assert (await ask("schedule", "resume", "one", *on, "--json")).json["enabled"] is True
    assert "next" in (await ask("schedule", "show", "one", *on)).out
    assert (await ask("schedule", "remove", "one", *on, "--json")).json["cron_expression"] == ""
    assert (await ask("schedule", "list", *on, "--json")).json == []
    for change in ("pause", "resume", "remove"):
        said = await ask("schedule", change, "one", *on, "--json")
        assert (said.code, said.out) == (exits.NOT_FOUND, "")
        assert said.errors == "shoal: one has no schedule (`shoal schedule set` makes one)\n"


async def test_delete(ask: Ask, made: Made):
    app = await made.app({"one": ONE, "two": ONE})
    assert (await ask("delete", "one", "--app", app)).code == exits.UNDONE
    assert (await ask("delete", "one", "--app", app, "--yes")).out == "one is deleted\n"
    assert (await ask("delete", "two", "--app", app, "--yes", "--for-good", "--json")).json["for_good"] is True
    assert (await ask("delete", "two", "--app", app, "--yes")).code == exits.NOT_FOUND


async def test_dead_over_http(ask: Ask, made: Made, client: httpx.AsyncClient, platform: Platform):
    app = await made.app({"dies": FAILING, "well": ONE})
    where = {"SHOAL_URL": platform.url, "SHOAL_TOKEN": platform.token, "SHOAL_DATA_DIR": "/nowhere"}
    ids = [await dead_letter_of(client, f"dies-{app}")]
    rows = (await ask("dead", "list", "--function", f"dies-{app}", "--json", **where)).json
    assert [row["id"] for row in rows] == ids
    shown = (await ask("dead", "show", ids[0], "--json", **where)).json
    assert (shown["status"], shown["user"], shown["params"]) == ("FAILURE", "admin", {})
    assert f"dies-{app}" in (await ask("dead", "list", "--function", f"dies-{app}", **where)).out
    made_ = (await ask("dead", "redrive", "--all", "--function", f"dies-{app}", "--json", **where)).json
    assert [one["id"] for one in made_["redriven"]] == ids
    assert (await ask("dead", "redrive", ids[0], **where)).code in (exits.NOT_FOUND, exits.UNDONE)
    assert (await ask("dead", "show", ids[0], **where)).code == exits.NOT_FOUND
    assert (await ask("dead", "remove", "--all", "--function", f"dies-{app}", **where)).code == exits.UNDONE
    assert (await ask("dead", "list", "--tenant", "other", **where)).code == exits.MISUSED
    assert (await ask("dead", "list", "--function", f"well-{app}", "--json", **where)).json == []
    assert (await ask("dead", "list", "--function", "nosuch", **where)).code == exits.NOT_FOUND
    said = await ask("dead", "list", "--function", "nosuch")
    assert (said.code, said.errors) == (exits.UNDONE, "shoal: there is no function 'nosuch' in tenant default\n")
    for wrong in (("--limit", -1), ("--limit", 0), ("--skip", -1)):
        assert (await ask("dead", "list", *wrong, **where)).code == exits.MISUSED


async def test_dead_letters_are_redriven_and_removed_over_http(
    ask: Ask, made: Made, client: httpx.AsyncClient, platform: Platform
):
    app = await made.app({"dies": FAILING})
    slug, where = f"dies-{app}", {"SHOAL_URL": platform.url, "SHOAL_TOKEN": platform.token, "SHOAL_DATA_DIR": ""}
    for number in range(5):
        await call(client, slug, n=number)
    ids = [row["id"] for row in await letters(client, slug, 5)]
    version = {"version": "2.0.0", "code": ONE, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=version)).status_code == 201
    redriven = (await ask("dead", "redrive", ids[0], "--params", '{"n": "other"}', "--json", **where)).json
    assert (await ended(client, redriven["task_id"]))["result"]["result"] == {"got": {"n": "other"}}
    both = (await ask("dead", "redrive", ids[1], ids[2], "--json", **where)).json
    assert [one["id"] for one in both["redriven"]] == ids[1:3]
    assert (await ask("dead", "remove", ids[3], **where)).out == "1 removed\n"
    assert (await ask("dead", "redrive", ids[3], ids[4], "--json", **where)).code == exits.UNDONE  # one is gone
    assert (await ask("dead", "remove", "--all", "--function", slug, "--yes", "--json", **where)).json == {"removed": 0}
    assert (await ask("dead", "redrive", **where)).code == exits.UNDONE


async def test_token_over_http(ask: Ask, platform: Platform):
    where = {"SHOAL_URL": platform.url, "SHOAL_TOKEN": platform.token, "SHOAL_DATA_DIR": "/nowhere"}
    token = (await ask("token", "create", "narrow", "--scope", "functions:read", "--days", 1, "--json", **where)).json
    assert (token["scopes"], token["username"]) == (["functions:read"], "admin")
    narrow = {**where, "SHOAL_TOKEN": token["token"]}
    said = await ask("env", "set", "A=1", **narrow)
    assert (said.code, "scope functions:write" in said.errors, said.errors.count("\n")) == (exits.FORBIDDEN, True, 1)
    two = ("--scope", "functions:read", "--scope", "functions:write")
    assert (await ask("token", "create", "wide", *two, **where)).code == exits.DONE
    for listed in (await ask("token", "list", **where), await ask("token", "list")):  # over HTTP, and of the store
        assert token["token"] not in listed.out
        assert "functions:read, functions:write" in listed.out
    assert (await ask("token", "revoke", token["id"], **where)).out == f"Token {token['id']} is revoked\n"
    assert (await ask("ps", **narrow)).code == exits.FORBIDDEN


async def test_top_where_nobody_looks(ask: Ask, made: Made):
    app = await made.app({"one": ONE})
    said = await ask("top", "--app", app, "--times", 2, "--every", 0.2, "--json")
    looks = [json.loads(line) for line in said.out.splitlines()]
    assert [[row["name"] for row in look["functions"]] for look in looks] == [["one"], ["one"]]
    assert set(looks[0]["queues"]) == {"tenant", "pools", "unrouted", "delayed"}
    said = await ask("top", "--app", app, "--every", 0.2)
    assert "\x1b" not in said.out
    assert "calls/s" in said.out
