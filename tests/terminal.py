"""A real terminal, tmux's, in which a shell runs: what is typed into it, and what its screen shows."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.platform import ROOT

SHOWN_S = 40.0
_LOOK_S = 0.05
SHOAL = f"{sys.executable} -m cli"


class Terminal:
    """80 columns and 24 lines."""

    def __init__(self, socket: Path) -> None:
        self._tmux = ("tmux", "-S", str(socket), "-f", "/dev/null")

    async def tmux(self, *argv: str, **environ: str) -> str:
        """A command of tmux's, and what it answers."""
        process = await asyncio.create_subprocess_exec(
            *self._tmux, *argv, env={**os.environ, **environ}, stdout=-1, stderr=-1
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode()

    async def type(self, line: str) -> None:
        """A line, with Enter."""
        await self.tmux("send-keys", "-l", line)
        await self.tmux("send-keys", "Enter")

    async def press(self, key: str) -> None:
        """A key, as tmux names it."""
        await self.tmux("send-keys", key)

    async def screen(self) -> str:
        """What is to be seen now."""
        return await self.tmux("capture-pane", "-p")

    async def is_alternate(self) -> bool:
        """Whether a program has taken the screen, and shows one of its own."""
        return (await self.tmux("display-message", "-p", "#{alternate_on}")).strip() == "1"

    async def shows(self, pattern: str) -> re.Match[str]:
        """Wait until the screen has something like that."""
        screen = ""
        try:
            async with asyncio.timeout(SHOWN_S):
                while True:
                    screen = await self.screen()
                    if found := re.search(pattern, screen, re.MULTILINE):
                        return found
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise AssertionError(f"the screen never showed {pattern!r}, but at last:\n{screen}") from None


@asynccontextmanager
async def terminal(folder: Path, **environ: str) -> AsyncIterator[Terminal]:
    """A shell in a terminal, in the folder of the source."""
    opened = Terminal(folder / "tmux")
    shell = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    shell |= {"PS1": "$ ", "HOME": str(folder), **environ}
    settings = [word for name, value in shell.items() for word in ("-e", f"{name}={value}")]
    await opened.tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", str(ROOT), *settings, "bash", "--norc")
    try:
        await opened.shows(r"^\$")
        yield opened
    finally:
        await opened.tmux("kill-server")
