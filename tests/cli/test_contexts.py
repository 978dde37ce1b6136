"""Which server is meant, and how a token is kept."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path

import pytest

from cli import contexts, exits
from cli.commands.up import up
from cli.exits import Fault
from tests.cli.conftest import Ask
from tests.hooks import Received, response, serving
from tests.platform import ROOT, Platform


async def test_added_used_shown_and_removed(ask: Ask, platform: Platform, tmp_path: Path):
    where = {"SHOAL_DATA_DIR": ""}
    said = await ask("context", "add", "one", platform.url, "--token-stdin", typed=f"{platform.token}\n", **where)
    assert (said.code, said.out) == (0, f"Context one is in use: {platform.url}\n")
    file = tmp_path / "contexts.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await ask("context", "add", "two", platform.url, "--app", "x", "--no-check", "--token-stdin", typed="t", **where)
    rows = (await ask("context", "list", "--json", **where)).json
    assert [(row["name"], row["app"], row["in_use"]) for row in rows] == [("one", "default", False), ("two", "x", True)]
    assert (await ask("ps", **where)).code == exits.FORBIDDEN  # its token is none
    assert (await ask("ps", "--all", "--context", "one", **where)).code == 0
    assert (await ask("ps", "--all", **where, SHOAL_CONTEXT="one")).code == 0
    assert (await ask("context", "use", "one", "--json", **where)).json["in_use"] is True
    shown = await ask("context", "show", **where)
    assert "one" in shown.out
    assert platform.token not in shown.out + (await ask("context", "list", **where)).out
    assert (await ask("context", "remove", "two", **where)).code == exits.UNDONE
    assert (await ask("context", "remove", "two", "--yes", **where)).out == "Context two is removed\n"
    file.chmod(0o644)
    assert "others may read it" in (await ask("context", "list", **where)).errors


@pytest.mark.parametrize("name", ["prod.eu", "a b", '"q"', "a'b", "a\\b", "x]\n[y", "é", "", "#", "=", "a\x7f"])
async def test_a_name_that_only_the_file_s_owner_could_give_stays_what_it_is(ask: Ask, tmp_path: Path, name: str):
    said = await ask("context", "add", name, "http://x", "--no-check", "--token-stdin", typed="t")
    assert (said.code, said.errors.count("\n"), "is no name of a context" in said.errors) == (exits.UNDONE, 1, True)
    environ = {"SHOAL_CONFIG": str(tmp_path / "contexts.toml")}
    one = contexts.Context("https://one", "t", "default", name, source=f"context {name}")
    two = one._replace(name="two", source="context two")
    contexts.write(contexts.Contexts({name: one, "two": two}, name), environ)
    assert contexts.read(environ) == contexts.Contexts({name: one, "two": two}, name)
    assert contexts.wanted(context="two", environ=environ) == two


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[contexts", "at end of document"),
        (b'contexts = "one"', "contexts is no table"),
        (b"[contexts]\none = 1", "contexts.one is no table"),
        (b"[contexts.one]\nurl = 1", "contexts.one.url is no text"),
        (b'[contexts.one]\nurl = "https://one"\ntoken = ["t"]', "contexts.one.token is no text"),
        (b'[contexts.one]\ntoken = "t"', "contexts.one has no url"),
        (b'[contexts.prod.eu]\nurl = "https://one"', "contexts.prod has no url (a name with a dot in it is written in"),
        (b'[contexts.one]\nurl = "one"', "contexts.one: 'one' is no address of a server"),
        (b'[contexts.one]\nurl = "http://["', "contexts.one: 'http://[' is no address of a server"),
        (b'[contexts.one]\nurl = "https://one"\ntoken = "very\\nsecret"', "contexts.one: a token is one word"),
        (b"current = 7", "current is no text"),
        (b"\xff", "utf-8"),
        (b"a = " + b"[" * 5000, ""),
    ],
)
async def test_a_file_that_somebody_broke_is_named_in_one_line(ask: Ask, tmp_path: Path, text: bytes, words: str):
    file = tmp_path / "contexts.toml"
    file.write_bytes(text)
    file.chmod(0o600)
    said = await ask("context", "list")
    assert (said.code, said.out, said.errors.count("\n")) == (exits.UNDONE, "", 1)
    assert said.errors.startswith(f"shoal: {file} cannot be read: ")
    assert words in said.errors
    assert "secret" not in said.errors
    assert (await ask("context", "add", "x", "http://x", "--no-check", "--token-stdin", typed="t")).code == exits.UNDONE
    assert file.read_bytes() == text  # what cannot be read is not written over


async def test_what_is_no_utf_8_is_not_kept(ask: Ask, tmp_path: Path):
    said = await ask(
        "context", "add", "x", "http://127.0.0.1:9", "--app", "\udcff", "--no-check", "--token-stdin", typed="t"
    )
    assert (said.code, said.errors.count("\n"), "no UTF-8" in said.errors) == (exits.UNDONE, 1, True)
    assert not (tmp_path / "contexts.toml").exists()


async def test_a_token_that_the_server_does_not_know_is_not_kept(ask: Ask, platform: Platform, tmp_path: Path):
    said = await ask("context", "add", "one", platform.url, "--token-stdin", typed="nobody's\n")
    assert said.code == exits.FORBIDDEN
    assert not (tmp_path / "contexts.toml").exists()
    assert "nobody's" not in said.errors


async def test_by_variables(ask: Ask, platform: Platform):
    assert (await ask("ps", "--all", SHOAL_URL=platform.url, SHOAL_TOKEN=platform.token, SHOAL_DATA_DIR="")).code == 0
    assert (await ask("ps", SHOAL_URL=platform.url, SHOAL_TOKEN="", SHOAL_DATA_DIR="")).code == exits.FORBIDDEN
    nobody = await ask("ps", SHOAL_URL="http://127.0.0.1:9", SHOAL_DATA_DIR="")
    assert (nobody.code, nobody.errors.count("\n")) == (exits.UNAVAILABLE, 1)
    assert (await ask("ps", SHOAL_DATA_DIR="/nowhere")).code == exits.UNDONE


async def test_what_is_no_shoal_is_told(ask: Ask):
    async with serving() as other:
        said = await ask("ps", SHOAL_URL=other.url.rstrip("/"), SHOAL_TOKEN="t", SHOAL_DATA_DIR="")
        assert said.code in (exits.UNAVAILABLE, exits.OUR_FAULT)
        assert said.errors.count("\n") == 1


def test_what_is_named_goes_before_what_is_usual(tmp_path: Path):
    environ = {"SHOAL_CONFIG": str(tmp_path / "c.toml"), "HOME": str(tmp_path)}
    one = contexts.Context("https://one", 't"\\', "é", "one")
    two = one._replace(url="https://two", name="two")
    contexts.write(contexts.Contexts({"one": one, "two": two, 'w "x"': two}, "one"), environ)
    assert set(contexts.read(environ).known) == {"one", "two", 'w "x"'}
    assert contexts.read(environ).known["one"][:4] == one[:4]
    assert contexts.wanted(environ=environ).url == "https://one"
    assert contexts.wanted(environ={**environ, "SHOAL_CONTEXT": "two"}).url == "https://two"
    assert contexts.wanted(environ={**environ, "SHOAL_URL": "http://three/"}).url == "http://three"
    by_name = {**environ, "SHOAL_URL": "http://three/"}
    assert contexts.wanted(context="two", environ=by_name).url == "https://two"
    with pytest.raises(Fault, match="nothing runs on data folder"):
        contexts.wanted(data_dir=str(tmp_path), environ=by_name)
    with pytest.raises(Fault, match="nothing runs on data folder"):
        contexts.wanted(environ={**environ, "SHOAL_DATA_DIR": str(tmp_path)})


@pytest.mark.parametrize("url", ["", "shoal.example.org", "ftp://x", "https://a:b@x", "https://x?y=1", "http://"])
def test_what_is_no_address(url: str):
    with pytest.raises(Fault):
        contexts.checked_url(url)


LONG = 4 * 2**20


@pytest.mark.parametrize("more", [(), ("--json",), ("-f",)])
async def test_who_reads_the_output_may_go(tmp_path: Path, more: tuple[str, ...]):
    """As in `shoal logs … | head -1`, where far more comes than a pipe holds."""
    entry = {
        "id": 1,
        "task_id": "t",
        "timestamp": "2026-01-06T09:00:00Z",
        "status_code": 200,
        "trigger": "cron",
        "duration_ms": 1.0,
        "error": None,
        "consoleLogs": [],
        "method": "POST",
        "path": "/",
    }
    logs = [{**entry, "id": number, "error": "x" * 1024} for number in range(LONG // 1024)]
    body = json.dumps({"logs": logs, "hasMore": False}).encode()
    told = b"".join(b"id: %d\nevent: log\ndata: %b\n\n" % (one["id"], json.dumps(one).encode()) for one in logs)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: following\n\n"

    async def answer(asked: Received, writer: asyncio.StreamWriter) -> None:
        if "/stream" not in asked.path:
            writer.write(response(200, body if "-f" not in more else b'{"logs": [], "hasMore": false}'))
            return
        writer.write(head + told)
        with suppress(ConnectionError):
            await writer.drain()

    async with serving() as hook:
        hook.answer = answer
        environ = {**os.environ, "SHOAL_URL": hook.url, "SHOAL_TOKEN": "t", "SHOAL_CONFIG": str(tmp_path / "none")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli", "logs", "x", *more, cwd=ROOT, env=environ, stdout=PIPE, stderr=PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(60):
            assert await process.stdout.read(1)  # it has begun to write, and can not have ended: the pipe is full
        assert process.returncode is None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            assert await process.stderr.read() == b""
            assert await process.wait() == exits.NOBODY_READS


def test_services_are_started_without_what_is_the_command_line_s_alone(monkeypatch: pytest.MonkeyPatch):
    started: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda _path, _argv, environ: started.append(environ))
    for name in contexts.VARIABLES:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SHOAL_WORKERS", "3")
    up(port="0")
    assert {name: value for name, value in started[0].items() if name in (*contexts.VARIABLES, "SHOAL_WORKERS")} == {
        "SHOAL_WORKERS": "3"
    }


def test_a_help_imports_no_command_and_no_client():
    """What makes it quick, measured by what it imports: seconds are the machine's."""
    script = (
        "import sys; from cli.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith(('cli.commands.', 'httpx', 'nats', 'pymongo'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
