"""`shoal audit`, as an operator runs it: the first opinion."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from shared import embedded

WITHIN_S = 300.0


class Audited(NamedTuple):
    """Its exit code, and what it said."""

    code: int
    said: str


async def audited(environ: Mapping[str, str]) -> Audited:
    """Run it against these servers; it is given up after a while."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "audit"),
        env={**os.environ, **environ},
        cwd=embedded.PACKAGES,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Audited(process.returncode if process.returncode is not None else -1, said.decode(errors="replace"))
