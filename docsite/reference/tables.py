"""Tables of Markdown, and the words of docstrings in them."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell does not end it."""
    lines = [_row(heads), _row(["---"] * len(heads)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """The text as code, or nothing."""
    return f"`{text}`" if str(text) else ""


def first_sentence(thing: Any) -> str:
    """What a docstring says first."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def page(title: str, about: str, *parts: str) -> str:
    """A page that says that it was made."""
    return "\n".join([f"# {title}\n", f"{about}\n", *parts])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
