"""Pages in, a site out: any warning of the generator ends the build."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docsite.navigation import navigation, toml
from docsite.pages import lay

_HERE = Path(__file__).resolve().parent
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_S = 300.0
# What the generator would have fetched from elsewhere, to search in a folder; `assets/worker.js` does the same.
_SHIM = "https://unpkg.com/iframe-worker/shim"


class Broken(Exception):  # noqa: N818 - the pages are
    """Something in the pages is wrong; the text says what and where."""


def build(root: Path, site: Path) -> str:
    """Build the site of the repository at `root`; what the generator said. Raises Broken."""
    with tempfile.TemporaryDirectory(prefix="shoal-docs-") as name:
        work = Path(name)
        try:
            pages = lay(root, work / "docs")
        except ValueError as error:
            raise Broken(str(error)) from None
        shutil.copytree(_HERE / "assets", work / "docs" / "assets")
        nav = f"[project]\nnav = {toml(navigation(pages))}\n"
        settings = (_HERE / "zensical.toml").read_text("utf-8").replace("[project]\n", nav, 1)
        (work / "zensical.toml").write_text(settings, "utf-8")
        said = _generated(work)
        _keep_home(work / "site")
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(work / "site", site)
    return said


def _generated(work: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=work, check=False, capture_output=True, text=True, timeout=_LONGEST_S,
    )  # fmt: skip
    said = _COLOURS.sub("", done.stdout + done.stderr)
    if done.returncode != 0:
        raise Broken(said.partition("Traceback")[0])
    return said


def _keep_home(site: Path) -> None:
    """No page fetches anything from another host."""
    for page in site.rglob("*.html"):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        page.write_text(page.read_text("utf-8").replace(_SHIM, f"{up}assets/worker.js"), "utf-8")
