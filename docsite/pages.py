"""The pages that the site is made of: those of `docs/`, others of the repository, and those made of the code."""

import posixpath
import re
from pathlib import Path

from docsite.reference import PAGES

BORROWED = {"CHANGELOG.md": "changelog.md", "bench/RESULTS.md": "benchmarks.md"}
"""Pages that are kept elsewhere in the repository, and the names that they have in the site."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def lay(root: Path, pages: Path) -> list[str]:
    """Put every page into the folder; their names. Raises ValueError for a link that leaves the site."""
    sources = {f"{page.relative_to(root)}" for page in (root / "docs").rglob("*.md")}
    names = {source: source.removeprefix("docs/") for source in sorted(sources)} | BORROWED
    for source, name in names.items():
        _write(pages / name, _linked((root / source).read_text("utf-8"), source, names))
    for name, make in PAGES.items():
        _write(pages / name, make())
    return sorted(name for name in [*names.values(), *PAGES] if name.endswith(".md"))


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, "utf-8")


def _linked(text: str, source: str, names: dict[str, str]) -> str:
    """Links between files of the repository, as links between pages of the site."""
    here = posixpath.dirname(source)

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, link[1]))
        if target not in names:
            if target.startswith("docs/"):  # made of the code, or a page that is missing: the generator knows
                return link[1]
            message = f"{source}: {link[1]} is not in the site"
            raise ValueError(message)
        return posixpath.relpath(names[target], posixpath.dirname(names[source]) or ".")

    return _LINK.sub(moved, text)
