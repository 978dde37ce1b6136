"""The documentation as a site: it builds without a warning, every link leads somewhere, no other host is asked."""

import posixpath
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from tests.docs.html import Page
from tests.platform import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "docsite", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {f"{path.relative_to(site)}": Page(path) for path in site.rglob("*.html")}


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Page]):
    lost = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or name == "404.html":
                continue
            to = (
                posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
            )
            to = posixpath.join(to, "index.html") if (site / to).is_dir() else to
            if to in pages:
                there = unquote(parts.fragment) in pages[to].anchors
            else:
                there = (site / to).is_file() and not parts.fragment
            lost += [] if there else [f"{name}: {link}"]
    assert lost == []


def test_nothing_is_fetched_from_another_host(site: Path, pages: dict[str, Page]):
    assert [link for page in pages.values() for link in page.fetched if urlsplit(link).netloc] == []
    assert [sheet for sheet in site.rglob("*.css") if "url(http" in sheet.read_text("utf-8")] == []


def test_every_page_is_reached_from_the_first_one(pages: dict[str, Page]):
    linked = {posixpath.normpath(urlsplit(link).path) for link in pages["index.html"].links}
    assert set(pages) - {"404.html"} - linked - {"index.html"} == set()


def test_the_site_shows_what_any_reader_of_markdown_shows(pages: dict[str, Page]):
    """Two dialects of Markdown: a list that the one sees and the other takes for a sentence is a page badly written."""
    plain = MarkdownIt("commonmark").enable("table")
    different = {}
    for source in sorted((ROOT / "docs").rglob("*.md")):
        kinds = {"fence": "pre", "code_block": "pre"}
        tokens = plain.parse(source.read_text("utf-8"))
        told = Counter(kinds.get(token.type, token.tag) for token in tokens if token.nesting >= 0)
        name = f"{source.relative_to(ROOT / 'docs').with_suffix('.html')}".replace("README.html", "index.html")
        seen = pages[name].blocks
        wrong = {
            tag: (told[tag], seen[tag]) for tag in ("table", "tr", "li", "pre", "h2", "h3") if told[tag] != seen[tag]
        }
        different |= {name: wrong} if wrong else {}
    assert different == {}
