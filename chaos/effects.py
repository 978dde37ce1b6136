"""A package of an operator's with functions that leave a line behind whenever they run: what an effect is here.

The lines are appended by single writes to one file, so that those of several executors do not mix.
"""

import os
from collections import defaultdict
from pathlib import Path

import msgspec

from shared.system import GROUP

FILE = "CHAOS_EFFECTS"
"""The environment variable that names the file."""
PLAIN, FLAKY = "chaos-effect", "chaos-flaky"
MODULE = "chaos_effects"
SOURCE = '''
import asyncio
import os
import time

from shared.system import Retryable, system_function

FILE = os.open(os.environ["CHAOS_EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def leave(context, number):
    line = f"{time.time():.6f} {context.task_id} {context.attempt} {os.getpid()} {number}\\n"
    os.write(FILE, line.encode())


@system_function(timeout_s=30)
async def effect(params, context):
    """Leaves a line, and takes a while to end: time in which it may be killed."""
    leave(context, params["number"])
    await asyncio.sleep(params.get("pause_s", 0.0))
    return {"number": params["number"]}


@system_function(timeout_s=30, max_retries=3)
async def flaky(params, context):
    """Leaves a line at each try, of which the first ones fail."""
    leave(context, params["number"])
    if context.attempt <= params["failures"]:
        raise Retryable("not yet", after_s=params.get("after_s"))
    return {"number": params["number"]}
'''


class Effect(msgspec.Struct, frozen=True):
    """One line: when, of which try of which task, in which executor."""

    at: float
    task_id: str
    attempt: int
    pid: int
    number: int


def install(folder: Path) -> None:
    """Put the package into a folder that is on the executors' path."""
    info = folder / f"{MODULE}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1.0\n")
    entries = {PLAIN: "effect", FLAKY: "flaky"}
    lines = [f"{slug} = {MODULE}:{name}" for slug, name in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    (folder / f"{MODULE}.py").write_text(SOURCE)


def path_with(folder: Path) -> str:
    """PYTHONPATH with this folder first."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def read(path: Path) -> dict[tuple[str, int], list[Effect]]:
    """The effects of each try, by task and number of the try, in the order of their time."""
    found: dict[tuple[str, int], list[Effect]] = defaultdict(list)
    if path.exists():
        for line in path.read_text().splitlines():
            at, task_id, attempt, pid, number = line.split()
            effect = Effect(float(at), task_id, int(attempt), int(pid), int(number))
            found[effect.task_id, effect.attempt].append(effect)
    return {key: sorted(effects, key=lambda effect: effect.at) for key, effects in found.items()}
