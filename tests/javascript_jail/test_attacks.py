"""The layers, attacked as if Deno's own permissions were broken: in full, in a plain container, with the least that is
served, and with nothing at all, where every attack works: those that do not would prove nothing."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
AS_USER = ROOT / "tests/sandbox/as_user.py"
ORDINARY = 1000
LIMIT_S = 90
CONTAINER_ROOT = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_raw,+sys_chroot"
NO_NAMESPACES = ("namespaces", "network")
LEAST = (*NO_NAMESPACES, "uid", "landlock")
SET_UPS = {
    "root, everything": (0, ()),
    "root, no namespaces": (0, NO_NAMESPACES),
    "root, a container's": (0, ()),
    "root, least": (0, LEAST),
    "root, nothing": (0, (*LEAST, "seccomp", "rlimits")),
    "ordinary user, everything": (ORDINARY, ()),
    "ordinary user, no namespaces": (ORDINARY, NO_NAMESPACES),
    "ordinary user, least": (ORDINARY, LEAST),
}
# What holds each attack: any one of these layers; "root" is a root that has given up its capabilities. None: every
# set-up, for what is given up there is no layer.
RAW = [
    f"raw {name}"
    for name in (
        *("ptrace", "process_vm_readv", "unshare", "setns", "personality", "keyctl", "add_key", "io_uring_setup"),
        *("perf_event_open", "pidfd_open", "pidfd_getfd", "shmget", "kill", "prlimit64"),
        *("clone of a process", "clone of a namespace", "socket of netlink", "socket of another kind"),
    )
]
HELD_BY: dict[str, tuple[str, ...] | None] = {
    "read a file": ("landlock",),
    "list the root": ("landlock",),
    "list processes": ("landlock",),
    "read the environment of the executor": ("landlock", "namespaces", "root"),
    "make a file": ("landlock", "uid"),
    "change its own code": ("landlock", "uid", "rlimits"),
    "fill a file": ("rlimits",),
    "keep something in localStorage": ("landlock", "uid", "rlimits"),
    "keep something in a cache": ("landlock", "uid", "rlimits"),
    "run a program": ("seccomp",),
    "run itself": ("seccomp",),
    "connect by TCP": ("seccomp", "landlock"),
    "listen by TCP": ("seccomp", "landlock"),
    "send by UDP": ("seccomp",),
    "open very many files": ("rlimits",),
    "signal the executor": ("seccomp", "landlock", "uid", "namespaces"),
    "be another user": None,
    "connect to an abstract socket": ("seccomp", "landlock", "namespaces"),
    "connect to a socket that has a path": ("seccomp",),
} | dict.fromkeys(RAW, ("seccomp",))


@pytest.fixture(scope="module", params=SET_UPS)
async def found(request: pytest.FixtureRequest, module_folder: Path) -> dict[str, Any]:
    """What the subject found in one set-up."""
    uid, without = SET_UPS[request.param]
    own = os.geteuid()
    if own not in {0, uid} and uid == 0:
        pytest.skip("needs root")
    folder = module_folder / os.urandom(4).hex()
    folder.mkdir(mode=0o755)
    os.chown(folder, uid if own == 0 else own, -1)
    command = [sys.executable, "-m", "tests.javascript_jail.subject", str(folder), *without]
    if own == 0 and uid:
        command = [sys.executable, str(AS_USER), str(uid), *command]
    if "container's" in request.param:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv")
        command = ["setpriv", f"--bounding-set={CONTAINER_ROOT}", *command]
    environment = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=ROOT, env=environment)
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode and uid != own and b"Permission denied" in err:
        pytest.skip("the sources, the interpreter or Deno cannot be read by an ordinary user")
    assert process.returncode == 0, err.decode()[-3000:]
    return json.loads(out.splitlines()[-1]) | {"set-up": request.param, "without": without}


async def test_the_report_is_true(found: dict[str, Any]) -> None:
    report, without, ordinary = found["report"], found["without"], found["set-up"].startswith("ordinary")
    assert report["level"] == ("weak" if "seccomp" in without else "standard" if "landlock" in without else "strict")
    assert (report["seccomp"] == "on") == ("seccomp" not in without)
    assert (report["uid"] == "on") == (not ordinary and "uid" not in without)
    assert (found["facts"]["uid"] not in {0, ORDINARY}) == (report["uid"] == "on")
    if "container's" in found["set-up"]:
        assert report["namespaces"] == "off: unshare: Operation not permitted"
        assert report["network"].startswith("off: ")


async def test_nothing_comes_in_with_the_environment(found: dict[str, Any]) -> None:
    assert set(found["facts"]["env"]) - {"PATH", "DENO_NODE_SHIM_ACTIVE"} == {"DENO_DIR"}


async def test_threads_remain(found: dict[str, Any]) -> None:
    assert found["found"]["start a thread"] == "done"


async def test_every_attack_is_looked_at(found: dict[str, Any]) -> None:
    assert set(found["found"]) - {"start a thread"} == set(HELD_BY)


@pytest.mark.parametrize("attack", HELD_BY)
async def test_attack(found: dict[str, Any], attack: str) -> None:
    layers, met = HELD_BY[attack], found["found"][attack]
    worn = {layer for layer in found["report"] if found["report"][layer].startswith(("on", "abi"))}
    if found["set-up"].startswith("root"):
        worn.add("root")
    held = met == "errno 1" if attack in RAW else not met.startswith("done")
    assert held == (layers is None or bool(worn & set(layers))), met
