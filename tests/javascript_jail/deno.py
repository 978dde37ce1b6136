"""Deno in the jail, for tests: a script is run to its end, and what it wrote to standard error comes back."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deno import find_deno_bin

from services.executor.modes.javascript.jail.jail import Door, Jail
from services.executor.modes.javascript.jail.launched import Launched

DENO = find_deno_bin()
ALONE = ("--no-prompt", "--no-remote", "--no-npm", "--no-config", "--no-lock", "--no-check", "--quiet")
LIMIT_S = 30


class Cell(NamedTuple):
    """The folders of one program: its code, which it may read, and one in which it may make a socket."""

    code: Path
    own: Path

    @classmethod
    def under(cls, folder: Path, script: str) -> "Cell":
        folder.mkdir(exist_ok=True, parents=True)
        folder.chmod(0o755)
        code, own = folder / "code", folder / "own"
        code.mkdir()
        own.mkdir()
        (code / "main.js").write_text(script)
        (code / "deno").mkdir()
        return cls(code, own)


class Running(NamedTuple):
    """A program, and what it says on standard error."""

    launched: Launched
    lines: asyncio.StreamReader

    async def line(self) -> str:
        return (await asyncio.wait_for(self.lines.readline(), LIMIT_S)).decode()

    async def end(self) -> tuple[int, str]:
        """Its status, and what it still says."""
        async with asyncio.timeout(LIMIT_S):
            said = await self.lines.read()
            return await self.launched.exited, said.decode("utf-8", "replace")


@asynccontextmanager
async def running(
    jail: Jail,
    cell: Cell,
    *arguments: str,
    permissions: Sequence[str] = ("-A",),
    door: Door | None = None,
    environment: dict[str, str] | None = None,
    readable: Sequence[str] = (),
) -> AsyncIterator[Running]:
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        launched = await jail.launch(
            [DENO, "run", *ALONE, *permissions, str(cell.code / "main.js"), *arguments],
            environment={"DENO_DIR": str(cell.code / "deno"), **(environment or {})},
            stderr=write_end,
            readable=[cell.code, *readable],
            writable=[cell.own],
            door=door,
        )
    except BaseException:
        transport.close()
        raise
    finally:
        os.close(write_end)
    try:
        yield Running(launched, reader)
    finally:
        launched.kill()
        await asyncio.wait_for(asyncio.shield(launched.exited), LIMIT_S)
        transport.close()


async def run(jail: Jail, cell: Cell, *arguments: str, **how: Any) -> tuple[int, str]:
    async with running(jail, cell, *arguments, **how) as program:
        return await program.end()
