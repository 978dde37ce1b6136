"""The start-up report: truthful about each layer, and decisive about serving."""

import pytest

from services.executor.kernel.machines import ARCHITECTURES
from services.executor.mode import Unavailable
from services.executor.modes.python.layers import level
from services.executor.modes.python.mode import open_mode
from services.executor.modes.python.settings import PythonSettings
from services.executor.modes.python.syscalls import ALLOWED, FATAL

pytestmark = pytest.mark.asyncio(loop_scope="session")

FULL = {"seccomp": "on", "rlimits": "on", "landlock": "abi 7", "namespaces": "on", "uid": "on"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "strict"),
        ({"namespaces": "off: x", "uid": "shared: x"}, "strict"),
        ({"namespaces": "off: x", "uid": "shared: x", "landlock": "abi 5"}, "standard"),
        ({"namespaces": "off: x", "uid": "shared: x", "landlock": "off: x"}, "standard"),
        ({"landlock": "off: x"}, "strict"),
        ({"seccomp": "off: x"}, "weak"),
        ({"rlimits": "off: x"}, "weak"),
    ],
)
async def test_level(changes: dict[str, str], expected: str) -> None:
    assert level(FULL | changes) == expected


async def test_what_is_left_out_is_reported_off() -> None:
    mode = await open_mode(PythonSettings(without=("namespaces", "chroot", "uid", "landlock")))
    report = mode.facts()["sandbox"]
    await mode.close()
    assert report["level"] == "standard"
    for layer in ("namespaces", "chroot", "uid", "landlock"):
        assert report[layer].endswith("left out by a setting")
    assert (report["seccomp"], report["rlimits"]) == ("on", "on")


async def test_a_weak_sandbox_does_not_serve() -> None:
    with pytest.raises(Unavailable, match=r"seccomp off: left out by a setting.*SHOAL_SANDBOX=weak"):
        await open_mode(PythonSettings(without=("seccomp",)))


async def test_unless_the_operator_says_so() -> None:
    mode = await open_mode(PythonSettings(without=("seccomp",), sandbox="weak"))
    report = mode.facts()["sandbox"]
    await mode.close()
    assert report["level"] == "weak"


@pytest.mark.parametrize("name", ARCHITECTURES)
async def test_the_tables_are_whole_and_without_a_number_twice(name: str) -> None:
    numbers = ARCHITECTURES[name].numbers
    assert len(set(numbers.values())) == len(numbers)
    only_on_x86 = {"poll", "time", "iopl", "ioperm", "modify_ldt"}
    missing = {*ALLOWED.split(), *FATAL.split(), "clone3", "seccomp"} - set(numbers)
    assert missing == (set() if name == "x86_64" else only_on_x86)
