"""What of a page of the site is looked at: its links, its anchors, what it fetches, and how it is made up."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_NOT_FETCHED = {"canonical", "prev", "next", "alternate"}
_COUNTED = ("table", "tr", "li", "pre", "h1", "h2", "h3")


class Page(HTMLParser):
    """A page, read. `blocks` counts the elements of its own text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.fetched: list[str] = []
        self.blocks: Counter[str] = Counter()
        self._in_text = False
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "article":
            self._in_text = True
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in _FETCHED and found.get("rel") not in _NOT_FETCHED and (address := found.get(_FETCHED[tag])):
            self.fetched.append(address)
        if self._in_text and tag in _COUNTED:
            self.blocks[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._in_text = False
