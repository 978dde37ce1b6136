"""What looks at a source follows its imports: it reaches nothing but the source."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.executor.modes.javascript.checking import Checker
from services.executor.modes.javascript.mode import JavascriptMode
from tests.javascript_jail.conftest import folder

__all__ = ["folder"]

MARK = "only the executor may know this"
LEAST = ("namespaces", "network", "uid", "landlock")


@pytest.fixture
def secret(folder: Path) -> Path:
    """A module that anybody may read, whose source and whose size could be told."""
    path = folder / "secret.ts"
    path.write_text(f"export const a = '{MARK}';")
    path.chmod(0o644)
    return path


@pytest_asyncio.fixture(loop_scope="session")
async def bare(opened: Any) -> AsyncIterator[JavascriptMode]:
    """A mode whose jail has hardly any layer."""
    yield await opened(without=LEAST)


async def told(mode: JavascriptMode, source: str) -> dict[str, dict[str, Any]]:
    """What Deno's tool tells of the modules it has met, by their specifiers."""
    checker = mode._checker
    assert isinstance(checker, Checker)
    place = (await mode._starter.folder()).place(source.encode())
    modules = (await checker._json(place, "info", "--json", str(place.main)))["modules"]
    return {module["specifier"]: module for module in modules}


IMPORTS = {
    "module": "import '{file}'; export default 1",
    "json": "import a from '{file}' with {{type: 'json'}}; export default a",
    "text": "import a from '{file}' with {{type: 'text'}}; export default a",
    "bytes": "import a from '{file}' with {{type: 'bytes'}}; export default a",
    "dynamic": "export default () => import('{file}')",
    "export": "export * from '{file}'; export default 1",
    "types": "/// <reference path='{file}' />\nexport default 1",
}
READ_WITHOUT_A_JAIL = ("module", "dynamic", "export")


@pytest.mark.parametrize("kind", IMPORTS)
@pytest.mark.parametrize("file", ["secret", "/etc/passwd", "/etc/hostname", "/proc/1/environ"])
async def test_no_import_reaches_a_file(mode: JavascriptMode, secret: Path, kind: str, file: str) -> None:
    uri = secret.as_uri() if file == "secret" else f"file://{file}"
    modules = await told(mode, IMPORTS[kind].format(file=uri))
    met = {specifier: module for specifier, module in modules.items() if "index.js" not in specifier}
    assert not any("size" in module or "local" in module for module in met.values()), met
    assert MARK not in json.dumps(modules)


@pytest.mark.parametrize("kind", READ_WITHOUT_A_JAIL)
async def test_without_the_jail_they_would(bare: JavascriptMode, secret: Path, kind: str) -> None:
    """So that the test before this one can fail."""
    modules = await told(bare, IMPORTS[kind].format(file=secret.as_uri()))
    assert modules[secret.as_uri()]["size"] == len(f"export const a = '{MARK}';")


async def test_the_environment_it_could_read_is_its_own(mode: JavascriptMode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_TEST_SECRET", MARK)
    for number in ("self", str(os.getpid()), str(os.getppid())):
        modules = await told(mode, f"import x from '/proc/{number}/environ' with {{type: 'text'}}; export default x")
        assert MARK not in json.dumps(modules)


async def test_a_tool_runs_as_nobody_else_and_within_its_bounds(mode: JavascriptMode) -> None:
    """By the kernel's own word on a tool that reads what never ends."""
    starter = mode._starter
    place = (await starter.folder()).place(b"import '/dev/stdin'; export default 1")
    os.mkfifo(place.folder / "never", 0o644)
    place.main.write_text("import './never'; export default 1")
    printed = os.memfd_create("printed")
    running = await starter.tool("info", "--json", str(place.main), place=place, stdout=printed, most_bytes=1 << 20)
    try:
        status, limits = _proc(running.pid, "status"), _proc(running.pid, "limits")
        if starter.report()["uid"] == "on":
            assert f"Uid:\t{running.uid}\t{running.uid}" in status
            assert running.uid not in {0, os.getuid()}
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        assert "CapEff:\t0000000000000000" in status
        bounds = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
        assert bounds["Max data size"] == [str(256 << 20)] * 2
        assert bounds["Max file size"] == [str(1 << 20)] * 2
    finally:
        running.kill()
        os.close(printed)
    await running.exited


def _proc(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_text()
