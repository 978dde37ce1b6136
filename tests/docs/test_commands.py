"""Every command that the documentation prints is run as it is printed, on a whole Shoal; what is not run says why."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.docs.shell import alike, documents, output, script
from tests.platform import ROOT, Platform, running
from tests.system.servers import mail_server

PAGES = ["README.md", *sorted(f"{page.relative_to(ROOT)}" for page in (ROOT / "docs").rglob("*.md"))]
WITH_COMMANDS = [page for page in PAGES if any(not block.not_run for block in blocks(ROOT, page))]
LONGEST_S = 300.0


@pytest.fixture(scope="module")
async def shoal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    with mail_server() as (_, port):
        settings = {"SHOAL_SMTP_URL": f"smtp://127.0.0.1:{port}", "SHOAL_SMTP_FROM": "shoal@example.org"}
        async with running(tmp_path_factory.mktemp("docs") / "data", **settings) as platform:
            yield platform


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `shoal` in it, as an installation has one."""
    folder = tmp_path_factory.mktemp("bin")
    shoal = folder / "shoal"
    shoal.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n')
    shoal.chmod(0o755)
    return folder


@pytest.mark.parametrize("page", WITH_COMMANDS)
async def test_the_page_says_what_works(shoal: Platform, programs: Path, tmp_path: Path, page: str):
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".shoal").symlink_to(shoal.data_dir)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(programs)
    found = [block for block in blocks(ROOT, page) if not block.not_run]
    # Nor where who runs the tests keeps his own contexts: the pages add some.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SHOAL_", "XDG_"))}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {**inherited, "PATH": path, "HOME": str(folder), "API": shoal.url, "TOKEN": shoal.token}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script(found, tmp_path, shoal.url),
        cwd=folder, env=environ, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(LONGEST_S):
        _, errors = await process.communicate()
    said = [place.read_text() if (place := output(tmp_path, n)).exists() else "" for n in range(len(found))]
    assert process.returncode == 0, errors.decode()[-2000:] + "".join(said)[-2000:]
    for block, text in zip(found, said, strict=True):
        answers = documents(text)
        for shown in block.answers:
            assert any(alike(shown, seen) for seen in answers), (f"{page}:{block.line}", shown, answers)


def test_what_is_not_run_says_why(capsys: pytest.CaptureFixture[str]):
    left_out = [block for page in PAGES for block in blocks(ROOT, page) if block.not_run]
    with capsys.disabled():
        print(f"\n{len(left_out)} blocks of commands are not run:")
        for block in left_out:
            print(f"  {block.page}:{block.line}: {block.not_run}")
    assert all(len(block.not_run) > len("needs") for block in left_out)
    run = sum(not block.not_run for page in PAGES for block in blocks(ROOT, page))
    assert run > len(left_out)
