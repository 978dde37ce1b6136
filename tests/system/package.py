"""An operator's package as pip would have installed it: modules, and a dist-info with entry points."""

from collections.abc import Mapping
from pathlib import Path

from shared.system import GROUP

FUNCTIONS = '''
import asyncio
import os
import pathlib
import threading
import time

import msgspec

from shared.system import Failure, Retryable, system_function

FOLDER = pathlib.Path(os.environ["TEST_FOLDER"])


class Size(msgspec.Struct, forbid_unknown_fields=True):
    width: int
    height: int = 10


@system_function(description="Multiplies", params=Size)
async def resize(params, context):
    return {"area": params.width * params.height, "tenant": context.tenant, "by": context.user.username}


@system_function(timeout_s=5)
def in_thread(params, context):
    return {"thread": threading.current_thread() is not threading.main_thread()}


@system_function(timeout_s=0.3)
async def endless(params, context):
    await asyncio.sleep(60)


@system_function(timeout_s=0.3)
def endless_thread(params, context):
    time.sleep(3)


@system_function()
async def wrong(params, context):
    context.log("about to fail", "warning", {"at": 1})
    raise KeyError("the key that is not there")


@system_function()
async def refused(params, context):
    raise Failure("NoSuchCity", "There is no such city", result={"looked_at": 3})


@system_function()
async def unserialisable(params, context):
    return object()


@system_function()
async def large(params, context):
    return "x" * params["bytes"]


def tried(name):
    with (FOLDER / name).open("a") as file:
        file.write("x")
    return len((FOLDER / name).read_text())


@system_function(max_retries=2, timeout_s=10)
async def flaky(params, context):
    count = tried(params["name"])
    if count <= params["failures"]:
        raise Retryable("not yet", after_s=0.1)
    return {"tries": count, "attempt": context.attempt}


@system_function(timeout_s=60)
async def gate(params, context):
    """Counts that it ran, and ends when a file is there."""
    tried(params["name"])
    while params.get("until") and not (FOLDER / params["until"]).exists():
        await asyncio.sleep(0.02)
    return {**params, "done": params["name"]}


def plain(params, context):
    return None
'''

ENTRIES = {
    "resize": "operators_package:resize",
    "in_thread": "operators_package:in_thread",
    "endless": "operators_package:endless",
    "endless_thread": "operators_package:endless_thread",
    "wrong": "operators_package:wrong",
    "refused": "operators_package:refused",
    "unserialisable": "operators_package:unserialisable",
    "large": "operators_package:large",
    "flaky": "operators_package:flaky",
    "gate": "operators_package:gate",
}
BROKEN = {
    "broken-import": "operators_broken:anything",
    "not-decorated": "operators_package:plain",
    "aggregate": "operators_package:resize",
    "Upper": "operators_package:resize",
    "example": "operators_package:resize",
}


def install(folder: Path, name: str, *, modules: Mapping[str, str], entries: Mapping[str, str]) -> None:
    """Put a package into a folder that is on somebody's path."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{slug} = {target}" for slug, target in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)
