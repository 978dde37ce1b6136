"""Child processes: started on a leash, waited for with a bound, and always ended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[1]
LEASH = Path(__file__).with_name("leash.py")
READY_S = 30.0
STOP_S = 20.0


class NotRun(Exception):  # noqa: N818 - it is not an error: a column of the table stays empty
    """Why a contender cannot take part, in one line."""


class Child(msgspec.Struct, frozen=True):
    """A running child; `ready` is the first line it printed, decoded, when one was waited for."""

    name: str
    pid: int
    ready: dict[str, str]


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this repository with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


@asynccontextmanager
async def child(
    name: str, command: list[str], *, log: Path, ready: bool = False, cwd: Path = ROOT, **environ: str
) -> AsyncIterator[Child]:
    """Run `command` for the length of the block, its stderr in `log`. NotRun when it dies before it is ready."""
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-S", str(LEASH), *command],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if ready else sink,
            stderr=sink,
            cwd=cwd,
            env={**os.environ, **environ},
            start_new_session=True,  # Ctrl-C is for the benchmark alone: it ends its children in order
        )
    try:
        first = await _first_line(name, process, log) if ready else {}
        yield Child(name, process.pid, first)
    finally:
        await _end(process)


async def _first_line(name: str, process: asyncio.subprocess.Process, log: Path) -> dict[str, str]:
    if process.stdout is None:
        raise RuntimeError("a child that is waited for needs its output piped")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
    except TimeoutError:
        line = b""
    if not line:
        raise NotRun(f"{name} did not become ready: {tail(log)}")
    return msgspec.json.decode(line, type=dict[str, str])


async def _end(process: asyncio.subprocess.Process) -> None:
    """TERM, a bounded wait, then KILL for the whole session of the child."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def output(command: list[str], *, timeout_s: float) -> bytes:
    """What a command prints. Raises RuntimeError with its last words when it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-S", str(LEASH), *command],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise RuntimeError(f"{' '.join(command[:4])} took longer than {timeout_s:g} s") from None
    finally:
        await _end(process)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {err.decode(errors='replace').strip()[-600:]}")
    return out


def tail(log: Path, *, characters: int = 400) -> str:
    """The end of a log on one line."""
    return " | ".join(log.read_text(errors="replace").strip()[-characters:].splitlines()) or "it said nothing"
