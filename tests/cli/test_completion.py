"""Scripts that complete, each in its own shell; bash's is tried in `test_terminal.py`."""

import asyncio
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from cli.commands.completion import ZSH_FUNCTION
from tests.cli.conftest import Ask
from tests.terminal import terminal

WHOLE = {
    "dep": "deploy",
    "schedule pa": "schedule pause",
    "invoke --idem": "invoke --idempotency-key",
    "completion z": "completion zsh",
}


@pytest.mark.parametrize("by", ["fpath", "eval"])
async def test_zsh_completes(ask: Ask, tmp_path: Path, by: str):
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    script = tmp_path / "_shoal"
    script.write_text((await ask("completion", "zsh")).out)
    before, after = (f"fpath=({tmp_path} $fpath)", "") if by == "fpath" else ("", f'; eval "$(<{script})"')
    async with terminal(tmp_path) as tty:
        await tty.type("PS1='> ' exec zsh -f")
        await tty.shows(r"^>")
        await tty.type(f"{before}; autoload -Uz compinit && compinit -u -D{after}; clear; echo ready")
        await tty.shows(r"^ready$")
        for words, whole in WHOLE.items():
            await tty.tmux("send-keys", "-l", f"shoal {words}")
            await tty.press("Tab")
            await tty.shows(whole.split()[-1] if "--" in whole else f"^> shoal {whole}")
            await tty.press("C-u")


async def test_fish_completes(ask: Ask, tmp_path: Path):
    if (fish := shutil.which("fish")) is None:
        pytest.skip("needs fish")
    script = tmp_path / "shoal.fish"
    script.write_text((await ask("completion", "fish")).out)
    lines = [f"source {script}", *(f"complete -C 'shoal {words}'" for words in WHOLE)]
    process = await asyncio.create_subprocess_exec(
        fish, "--no-config", "-c", "; ".join(lines), cwd=tmp_path, env={"HOME": str(tmp_path)}, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert [line.split("\t")[0] for line in out.decode().splitlines()] == [
        whole.split()[-1] for whole in WHOLE.values()
    ]


async def test_what_zsh_is_to_call_is_there(ask: Ask):
    """Also where no zsh is at hand: its name is the library's."""
    assert f"\n{ZSH_FUNCTION}() {{\n" in (await ask("completion", "zsh")).out
