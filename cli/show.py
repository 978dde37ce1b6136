"""Answers of the command line: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from cli.exits import plain

Row = Mapping[str, Any]


def rows(found: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Many of a kind: a table with these columns, or a JSON array."""
    if as_json:
        _print_json([_chosen(row, columns) for row in found])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in found:
        table.add_row(*(_plain(row[column]) for column in columns))
    # A program that reads a table without asking for JSON at least gets whole words.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 500).print(table)


def one(row: Row, columns: Sequence[str], *, as_json: bool) -> None:
    """One thing: a line for each column, or a JSON object."""
    if as_json:
        _print_json(_chosen(row, columns))
        return
    width = max(len(column) for column in columns)
    for column in columns:
        print(f"{column.replace('_', ' '):{width}}  {_plain(row[column])}")


def done(sentence: str, row: Row, *, as_json: bool) -> None:
    """Something was done."""
    if as_json:
        _print_json(row)
    else:
        print(sentence)


def _chosen(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    return {column: row[column] for column in columns}


def _print_json(value: Any) -> None:
    print(json.dumps(value, default=_jsonable))


def _jsonable(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else sorted(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, Mapping):
        return " ".join(f"{name}={amount:g}" for name, amount in value.items()) or "-"
    if isinstance(value, frozenset):
        return _joined(sorted(value))
    if isinstance(value, list | tuple):
        return _joined(value)
    return "-" if value in (None, "") else plain(str(value))


def _joined(words: Sequence[Any]) -> str:
    return plain(", ".join(map(str, words))) or "-"


@contextmanager
def bar(what: str, count: int) -> Iterator[Callable[[], None]]:
    """How far many of a kind are, on stderr; what it gives is called after each. It is gone in the end."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=count)
        yield lambda: progress.advance(task)
