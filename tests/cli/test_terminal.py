"""`shoal top` and `shoal logs -f` in a real terminal, by a person's hands."""

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Made
from tests.platform import Platform
from tests.terminal import SHOAL, terminal


async def called(client: httpx.AsyncClient, slug: str, times: int, **params: object) -> None:
    for _ in range(times):
        await client.post(f"/api/functions/{slug}/execute/", json={"params": params})


async def test_top_shows_what_moves_and_gives_the_terminal_back(
    platform: Platform, client: httpx.AsyncClient, made: Made, tmp_path: Path
):
    app = await made.app({"aaa": "def main(params, c):\n return 1", "zzz": "def main(params, c):\n raise ValueError"})
    async with terminal(tmp_path, SHOAL_DATA_DIR=str(platform.data_dir)) as tty:
        await tty.type("stty -a | md5sum; stty -a | md5sum > before")
        await tty.type(f"{SHOAL} top --app {app} --every 0.3 --sort name; echo ended $?")
        await tty.shows(r"^aaa .* 0\s*$")
        assert await tty.is_alternate()
        await tty.shows(r"queued 0  in hand 0")
        await called(client, "aaa-" + app, 3)
        await tty.shows(r"^aaa +(0\.[1-9]|[1-9]).* 3\s*$")
        await called(client, "zzz-" + app, 5)
        await tty.shows(r"^zzz +(0\.[1-9]|[1-9]).* 100% +5\s*$")
        await tty.shows(r"(?s)^aaa .*^zzz .*by name")
        for key, word, order in (("e", "errors", "zzz aaa"), ("n", "name", "aaa zzz"), ("c", "calls", "zzz aaa")):
            await tty.press(key)
            first, second = order.split()
            await tty.shows(rf"(?s)^{first} .*^{second} .*by {word}")
        await tty.press("q")
        await tty.shows(r"^ended 0$")
        assert not await tty.is_alternate()
        await tty.type("stty -a | md5sum | diff - before && echo as before; rm before")
        await tty.shows(r"^as before$")


async def test_top_ends_on_ctrl_c_with_the_terminal_as_it_was(platform: Platform, made: Made, tmp_path: Path):
    app = await made.app({"calm": "def main(params, c):\n return 1"})
    async with terminal(tmp_path, SHOAL_DATA_DIR=str(platform.data_dir)) as tty:
        await tty.type(f"{SHOAL} top --app {app}; echo ended $?")
        await tty.shows(r"^calm ")
        await tty.press("C-c")
        await tty.shows(r"ended 130$")
        assert not await tty.is_alternate()
        await tty.type("echo typed is seen")
        await tty.shows(r"^typed is seen$")
        assert "Traceback" not in await tty.screen()


async def test_top_gives_the_terminal_back_when_it_is_ended(platform: Platform, made: Made, tmp_path: Path):
    app = await made.app({"calm": "def main(params, c):\n return 1"})
    async with terminal(tmp_path, SHOAL_DATA_DIR=str(platform.data_dir)) as tty:
        await tty.type(f"{SHOAL} top --app {app} & echo $! > pid; mv pid {tmp_path}; fg; echo ended $?")
        await tty.shows(r"^calm ")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        await tty.shows(r"ended 143$")
        assert not await tty.is_alternate()


async def test_logs_follow_what_is_made_and_end_on_ctrl_c(
    platform: Platform, client: httpx.AsyncClient, made: Made, tmp_path: Path
):
    code = "def main(params, c):\n print('line', params['n'])\n return params['n']"
    app = await made.app({"chatty": code})
    await called(client, "chatty-" + app, 1, n="before")
    async with terminal(tmp_path, SHOAL_DATA_DIR=str(platform.data_dir)) as tty:
        await tty.type(f"{SHOAL} logs chatty -f --app {app}; echo ended $?")
        await tty.shows(r"^[0-9:.]+ \w+ +line before$")
        for number in range(3):
            await called(client, "chatty-" + app, 1, n=number)
            await tty.shows(rf"^[0-9:.]+ \w+ +line {number}$")
        await tty.press("C-c")
        await tty.shows(r"ended 130$")
        screen = await tty.screen()
        assert "Traceback" not in screen
        assert [screen.count(f"line {number}\n") for number in ("before", 0, 1, 2)] == [1, 1, 1, 1]


async def test_lines_of_a_call_that_still_runs(
    platform: Platform, client: httpx.AsyncClient, made: Made, tmp_path: Path
):
    app = await made.app({"slow": "def main(params, c):\n import time\n print('at once')\n time.sleep(120)"})
    async with terminal(tmp_path, SHOAL_DATA_DIR=str(platform.data_dir)) as tty:
        await tty.type(f"{SHOAL} logs slow -f --app {app} --json")
        await tty.shows(r"logs slow")
        task = ""
        async with asyncio.timeout(60):
            while '"event": "line"' not in await tty.screen():  # who comes later than the line is told of a gap
                if task:
                    await client.post(f"/api/invocations/by-task-id/{task}/cancel/")
                answer = await client.post(f"/api/functions/slow-{app}/execute/", json={"async": True})
                task = answer.json()["task_id"]
                await asyncio.sleep(2)
        found = (await client.get(f"/api/result/{task}/")).json()
        assert found["status"] in ("PENDING", "STARTED")
        await client.post(f"/api/invocations/by-task-id/{task}/cancel/")


async def test_a_token_is_typed_and_not_shown(platform: Platform, tmp_path: Path):
    async with terminal(tmp_path) as tty:
        await tty.type(f"{SHOAL} context add here {platform.url}")
        await tty.shows(r"^Token:")
        await tty.type(platform.token)
        await tty.shows(r"^Context here is in use")
        await tty.type(f"{SHOAL} context show; {SHOAL} context remove here")
        await tty.shows(r"Type here to go on")
        await tty.type("here")
        await tty.shows(r"^Context here is removed$")
        assert platform.token not in await tty.tmux("capture-pane", "-p", "-S", "-")


@pytest.mark.parametrize("words", ["dep", "schedule pa", "invoke --idem"])
async def test_a_shell_completes(words: str, tmp_path: Path):
    whole = {"dep": "deploy", "schedule pa": "schedule pause", "invoke --idem": "invoke --idempotency-key"}[words]
    async with terminal(tmp_path) as tty:
        await tty.type(f'shoal() {{ {SHOAL} "$@"; }}; eval "$(shoal completion bash)"; echo ready')
        await tty.shows(r"^ready$")
        await tty.tmux("send-keys", "-l", f"shoal {words}")
        async with asyncio.timeout(30):
            await tty.press("Tab")
            await tty.shows(rf"shoal {whole}")
