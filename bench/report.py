"""The tables, on the terminal and in RESULTS.md."""

from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from bench.options import Options
from bench.table import Check, Row, Table

RESULTS = Path(__file__).with_name("RESULTS.md")
NAMES = {"floor": "Floor", "shoal": "Shoal", "celery": "Celery"}


def show(table: Table, console: Console) -> None:
    """Print one section."""
    if table.failed:
        console.print(f"{table.title}: failed: {table.failed}", style="red", markup=False, highlight=False)
        return
    rich = RichTable(*_head(table), title=table.title, title_justify="left")
    for row in table.rows:
        rich.add_row(*_cells(row, table, joint="\n"))
    console.print(rich)
    for note in table.notes:
        console.print(f"  {note}", highlight=False)


def verdict(tables: list[Table], console: Console) -> None:
    """Every target in the end on one line each, met or missed."""
    console.print("Targets", style="bold")
    for table in tables:
        for row in table.rows:
            for check in row.checks:
                if check.target and check.met is not None:
                    said, style = ("met   ", "green") if check.met else ("missed", "red")
                    line = f"  {said}  {table.title}, {row.what}: {check.ratio}, {check.target}"
                    console.print(line, style=style, markup=False, highlight=False)


def write(machine: dict[str, str], options: Options, tables: list[Table], absent: dict[str, str]) -> None:
    """RESULTS.md anew."""
    measured = f"{options.rounds} rounds of {options.seconds:g} s, medians; floor with HTTP by {options.floor_http}"
    lines = [
        "# Benchmark results",
        "",
        f"Written by `{options.command}`: {measured}. What is measured and how is in `bench/README.md`.",
        "",
    ]
    for name, why in absent.items():
        lines += [f"{NAMES[name]}: not run ({why})", ""]
    for table in tables:
        lines += _markdown(table)
    lines += ["## Machine", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())]
    RESULTS.write_text("\n".join(lines) + "\n")


def _markdown(table: Table) -> list[str]:
    if table.failed:
        return [f"## {table.title}", "", f"failed: {table.failed}", ""]
    head = _head(table)
    lines = [f"## {table.title}", "", _line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, table, joint="<br>")) for row in table.rows]
    return [*lines, "", *(f"- {note}" for note in table.notes), ""]


def _head(table: Table) -> list[str]:
    """Column titles; those of the checks only where a row has one."""
    checks = ["Ratio", "Target", "Met"] if _checked(table) else []
    return ["", *(NAMES.get(name, name) for name in table.columns), *checks]


def _cells(row: Row, table: Table, *, joint: str) -> list[str]:
    """One row's cells, several checks joined by `joint`."""
    cells = [row.what, *(row.cells.get(name, "-") for name in table.columns)]
    if _checked(table):
        columns = zip(*((one.ratio, one.target, _mark(one)) for one in row.checks), strict=True)
        cells += [joint.join(column) for column in columns] or [""] * 3
    return cells


def _checked(table: Table) -> bool:
    return any(row.checks for row in table.rows)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mark(check: Check) -> str:
    return "" if check.met is None else "yes" if check.met else "no"
