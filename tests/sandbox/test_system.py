"""The kernel's layers, attacked as if the language layer were broken: in full, in a plain container, with the least
that is served, each as root and as an ordinary user."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.system_attacks import attacks

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
ORDINARY = 1000
LIMIT_S = 90
CONTAINER = ("namespaces",)
# What Docker leaves to root: enough to change the user, not enough for namespaces.
CONTAINER_ROOT = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_raw,+sys_chroot"
LEAST = ("namespaces", "chroot", "uid", "landlock")
SET_UPS = {
    "root, everything": (0, ()),
    "root, no namespaces": (0, CONTAINER),
    "root, a container's": (0, ()),
    "root, least": (0, LEAST),
    "ordinary user, everything": (ORDINARY, ()),
    "ordinary user, no namespaces": (ORDINARY, CONTAINER),
    "ordinary user, least": (ORDINARY, LEAST),
}
ATTACKS = attacks(os.uname().machine)


@pytest.fixture(scope="module", params=SET_UPS)
async def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the subject found in one set-up."""
    uid, without = SET_UPS[request.param]
    own = os.geteuid()
    if own not in {0, uid} and uid == 0:
        pytest.skip("needs root")
    command = [sys.executable, "-m", "tests.sandbox.subject", *without]
    if own == 0 and uid:
        command = [sys.executable, str(Path(__file__).with_name("as_user.py")), str(uid), *command]
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
        pytest.skip("the sources or the interpreter cannot be read by an ordinary user")
    assert process.returncode == 0, err.decode()[-3000:]
    return json.loads(out.splitlines()[-1]) | {"set-up": request.param, "without": without}


async def test_the_report_is_true(found: dict[str, Any]) -> None:
    report, ordinary = found["report"], found["set-up"].startswith("ordinary")
    assert report["level"] == ("standard" if found["without"] == LEAST else "strict")
    assert (report["seccomp"], report["rlimits"]) == ("on", "on")
    assert found["facts"]["uid"] == 0 or ordinary
    assert (report["uid"] == "on") == (not ordinary and "uid" not in found["without"])
    if "container's" in found["set-up"]:
        assert report["namespaces"] == "off: unshare: Operation not permitted"
        assert report["chroot"] == "on"
    if "namespaces" in found["without"]:
        assert report["namespaces"] == "off: left out by a setting"


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack(found: dict[str, Any], name: str) -> None:
    seen = found["found"][name]
    meets = ATTACKS[name].meets
    assert (seen["met"], type(seen["met"])) == (meets, type(meets))
    assert seen["innocent"], "another tenant's call must be answered afterwards"


async def test_every_violation_is_counted_for_its_tenant(found: dict[str, Any]) -> None:
    fatal = sum(one.meets == "SandboxViolation" for one in ATTACKS.values())
    assert found["facts"]["violations"] == {"attacker": fatal}
    assert found["facts"]["zygote_starts"] > 1  # what the attackers may have learned of its memory is worth nothing


async def test_no_descriptor_has_leaked(found: dict[str, Any]) -> None:
    assert found["descriptors"] < 16
